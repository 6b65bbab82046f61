// Pictures along a parameter: one is shown, and a slider moves through them.
document.addEventListener("DOMContentLoaded", () => {
  for (const panels of document.querySelectorAll(".slider")) {
    const frames = [...panels.querySelectorAll("figure")];
    const said = frames.map((frame) => frame.querySelector("figcaption").textContent);
    const control = document.createElement("label");
    const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: frames.length - 1, value: (frames.length - 1) >> 1 });
    const output = document.createElement("output");
    const show = () => {
      frames.forEach((frame, i) => (frame.hidden = i !== Number(range.value)));
      output.textContent = said[range.value];
      range.setAttribute("aria-valuetext", said[range.value]);
    };
    range.addEventListener("input", show);
    control.append(range, output);
    panels.before(control);
    control.className = "slide";
    panels.classList.add("moved");
    show();
  }
});
