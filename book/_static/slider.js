// Pictures along a parameter: one is seen; a slider moves through them, and a button plays them once.
{
  const PACE = 900; // milliseconds a picture

  document.addEventListener("DOMContentLoaded", () => {
    for (const panels of document.querySelectorAll(".slider")) {
      const frames = [...panels.querySelectorAll("figure")];
      const labels = frames.map((frame) => frame.querySelector("figcaption")?.textContent ?? "");
      const alt = frames[0]?.querySelector("img")?.alt ?? "";
      const last = frames.length - 1;
      const control = Object.assign(document.createElement("div"), { className: "slide" });
      const button = Object.assign(document.createElement("button"), { type: "button", className: "play" });
      const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: last, value: last >> 1 });
      const output = document.createElement("output");
      let timer = 0;

      range.setAttribute("aria-label", alt.replace(` (${labels[0]})`, "") || "step");
      const show = () => {
        frames.forEach((frame, i) => (frame.hidden = i !== Number(range.value)));
        output.textContent = labels[range.value];
        range.setAttribute("aria-valuetext", labels[range.value]);
      };
      const pause = () => {
        clearInterval(timer);
        timer = 0;
        button.setAttribute("aria-label", "Play");
      };
      const advance = () => {
        range.value = Number(range.value) + 1;
        show();
        if (Number(range.value) === last) pause();
      };
      const play = () => {
        if (Number(range.value) === last) range.value = 0;
        show();
        button.setAttribute("aria-label", "Pause");
        timer = setInterval(advance, PACE);
      };
      button.addEventListener("click", () => (timer ? pause() : play()));
      range.addEventListener("input", () => (pause(), show()));
      pause();
      control.append(button, range, output);
      panels.before(control);
      panels.classList.add("moved");
      show();
    }
  });
}
