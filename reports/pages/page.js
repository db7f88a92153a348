// Nothing here asks the network for anything, and every page can be read without it.

// Curves are shown and hidden by their checkbox.
for (const box of document.querySelectorAll("input[data-curve]")) {
  box.addEventListener("change", () => {
    const plot = box.closest("figure");
    plot.querySelector("#" + box.dataset.curve).classList.toggle("off", !box.checked);
  });
}

// A table that fits needs no stop of the keyboard; one that does not says that it can be scrolled.
const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const wide = target.scrollWidth > target.clientWidth + 1;
    target.tabIndex = wide ? 0 : -1;
    const before = target.previousElementSibling;
    const hint = before && before.className === "scroll-hint" ? before : null;
    if (wide && !hint) {
      const text = document.createElement("span");
      text.className = "scroll-hint";
      text.textContent = "Scroll sideways to see all columns \u2192";
      target.before(text);
    } else if (!wide && hint) {
      hint.remove();
    }
  }
});
for (const part of document.querySelectorAll(".scroll")) watch.observe(part);

// The leaderboard: rows are sorted by the buttons in the headings, and filtered by a text.
const board = document.querySelector(".board");
if (board) {
  const rows = [...board.querySelectorAll("tbody tr")];
  const runs = rows.filter((row) => !row.closest(".published"));
  const value = (row, column) => row.cells[column].textContent.replaceAll(",", "");
  for (const table of board.querySelectorAll("table")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const numeric = heading.classList.contains("number");
        const body = table.tBodies[0];
        const order = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a, column), value(b, column)];
          if (!numeric) return (up ? 1 : -1) * x.localeCompare(y, "en", { numeric: true });
          const [m, n] = [parseFloat(x), parseFloat(y)];
          // A cell without a number comes last, whichever way the others are sorted.
          if (isNaN(m) || isNaN(n)) return isNaN(m) - isNaN(n);
          return up ? m - n : n - m;
        });
        body.append(...order);
      });
    });
  }
  const tools = document.createElement("div");
  tools.className = "tools";
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  label.htmlFor = input.id = "filter";
  label.textContent = "Filter runs";
  input.type = "search";
  count.setAttribute("role", "status");
  tools.append(label, input, count);
  board.before(tools);
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    }
    const shown = runs.filter((row) => !row.hidden).length;
    for (const set of board.querySelectorAll(".set")) {
      set.hidden = !set.querySelector("tbody tr:not([hidden])");
    }
    count.textContent = `${shown.toLocaleString("en")} of ${runs.length.toLocaleString("en")} runs`;
  };
  input.addEventListener("input", filter);
  filter();
}
