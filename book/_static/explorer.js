// The explorer: a choice moves the dots to another x; a dot under the pointer, or with the focus,
// opens a card with six images of its set. Numbers, positions and ticks are the page's own data.
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function drawn(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function start(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const select = figure.querySelector("select");
    const plot = figure.querySelector(".plot");
    const card = figure.querySelector(".about");
    const dots = [...figure.querySelectorAll("g.dot")];
    let open = null;

    // A dot's place along the axis of the choice; sets without its number are not drawn.
    function move() {
      const choice = data.choices[select.value];
      for (const dot of dots) {
        const set = data.sets[dot.dataset.set];
        const at = choice.at[dot.dataset.set];
        dot.style.display = at === undefined ? "none" : "";
        if (at === undefined) continue;
        for (const circle of dot.querySelectorAll("circle")) circle.setAttribute("cx", `${at}%`);
        for (const end of ["x1", "x2"]) dot.querySelector("line").setAttribute(end, `${at}%`);
        const number = `${choice.short}: ${set.numbers[select.value]}`;
        dot.setAttribute("aria-label", `${set.title}: ${set.top1}; ${number}`);
      }
      figure.querySelector("g.along").replaceChildren(
        ...choice.ticks.flatMap(([at, text]) => [
          drawn("line", { x1: `${at}%`, x2: `${at}%`, y1: "0", y2: "100%" }),
          drawn("text", { x: `${at}%`, y: "100%", dy: "18" }, text),
        ]));
      const families = new Set(Object.keys(choice.at).map((name) => data.sets[name].family));
      for (const entry of figure.querySelectorAll(".legend [data-family]")) {
        entry.style.display = families.has(entry.dataset.family) ? "" : "none";
      }
      figure.querySelector(".name").textContent = choice.name;
      figure.querySelector("output").textContent = choice.rho;
      close();
    }

    function show(dot) {
      if (open === dot) return;
      close();
      open = dot;
      dot.classList.add("open");
      const name = dot.dataset.set;
      const { title, chapter, top1, numbers } = data.sets[name];
      const others = Object.entries(numbers).map(([key, value]) =>
        element("li", { className: key === select.value ? "chosen" : "" }, `${data.choices[key].short}: ${value}`));
      card.replaceChildren(
        element("a", { href: chapter, textContent: title, tabIndex: -1 }),
        element("img", { src: `${data.sheets}/${name}.webp`, alt: `Six images of ${title}`, width: 192, height: 128, className: "dark-light" }),
        element("div", {}, element("p", {}, top1), element("ul", {}, ...others)));
      const circle = dot.querySelector("circle").getBoundingClientRect();
      const inside = plot.getBoundingClientRect();
      const [x, y] = [circle.x + circle.width / 2 - inside.x, circle.y - inside.y];
      // beside the dot, on the side with more room (where the card lies below, CSS ignores this)
      const side = x < inside.width / 2 ? x + 20 : x - 20 - card.offsetWidth;
      card.style.left = `${side}px`;
      card.style.top = `${Math.max(0, Math.min(y - 40, inside.height - card.offsetHeight))}px`;
    }

    function close() {
      open?.classList.remove("open");
      open = null;
      card.replaceChildren();
    }

    for (const dot of dots) {
      dot.querySelector("title").remove(); // the card says more
      for (const kind of ["pointerenter", "focus", "click"]) dot.addEventListener(kind, () => show(dot));
    }
    plot.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !plot.contains(document.activeElement)) close();
    });
    figure.addEventListener("focusout", (event) => {
      if (!figure.contains(event.relatedTarget)) close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!plot.contains(event.target)) close();
    });
    select.addEventListener("change", move);
    figure.querySelector(".choose").hidden = false;
    move();
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll("figure.explorer").forEach(start));
})();
