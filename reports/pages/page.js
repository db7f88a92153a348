// Curves are shown and hidden by their checkbox; nothing here asks the network for anything.
for (const box of document.querySelectorAll("input[data-curve]")) {
  box.addEventListener("change", () => {
    const plot = box.closest("figure");
    plot.querySelector("#" + box.dataset.curve).classList.toggle("off", !box.checked);
  });
}
