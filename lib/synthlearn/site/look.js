// What is wrong with the page as it stands in this window: one line each. Run by look.py.
({ smallest, contrast, wideEnough }) => {
  const lines = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const visible = (element) => {
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) return false;
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > 0 && box.left < innerWidth;
  };
  const words = (element) => element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
  const add = (elements, what) => {
    if (elements.length) lines.push(`${elements.length} ${what}`);
  };

  add(all("img").filter((i) => !i.complete || !i.naturalWidth), "images do not load");
  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wider > 0) lines.push(`${wider} pixels wider than the window`);
  if (innerWidth >= wideEnough)
    for (const box of all("main .scroll, main .output"))
      if (visible(box) && box.scrollWidth > box.clientWidth + 1)
        lines.push(`a table is ${box.scrollWidth - box.clientWidth} pixels wider than its column (${words(box)})`);
  add(all(".slider").filter((s) => s.querySelectorAll("figure:not([hidden])").length !== 1), "sliders show no single image");
  add(all("[class*='fa-']").filter((i) => visible(i) && getComputedStyle(i).maskImage === "none"), "icons are not drawn in icons.css");

  const named = (control) =>
    control.ariaLabel || control.getAttribute("aria-labelledby") || control.title || control.labels?.length || control.placeholder ||
    control.textContent.trim() || [...control.querySelectorAll("img, svg")].some((i) => i.alt || i.ariaLabel);
  const controls = all("a[href], button, select, summary, input:not([type=hidden])").filter(visible);
  const nameless = controls.filter((control) => !named(control));
  add(nameless, `controls have no name (${nameless[0]?.outerHTML.slice(0, 60)})`);

  // letters: of SVG in pixels of the window, however its figure is scaled
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const size = (element) => {
    const scale = element.getScreenCTM ? Math.sqrt(Math.abs(element.getScreenCTM().a * element.getScreenCTM().d - element.getScreenCTM().b * element.getScreenCTM().c)) : 1;
    return parseFloat(getComputedStyle(element).fontSize) * scale;
  };
  const texts = [...document.body.querySelectorAll("*:not(script, style, noscript)")].filter((e) => own(e) && visible(e));
  const small = texts.filter((e) => e.closest("main figure, .axis, main table") && size(e) < smallest - 0.05).sort((a, b) => size(a) - size(b));
  add(small, `letters: texts are below ${smallest} pixels, the smallest ${small.length && size(small[0]).toFixed(1)} (${small.length && words(small[0])})`);

  // contrast of a text's colour with what is painted below it, by WCAG 2; over pictures it is not known
  const rgba = (colour) => {
    const parts = colour.match(/[\d.]+(e-?\d+)?/g)?.map(Number) ?? [0, 0, 0, 0];
    const unit = colour.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((part) => part * unit), parts[3] ?? 1];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((part, i) => a * part + (1 - a) * ground[i]);
  const grounds = new Map();
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    if (!grounds.has(element)) {
      const style = getComputedStyle(element);
      const below = ground(element.parentElement);
      grounds.set(element, style.backgroundImage !== "none" || !below ? null : over(rgba(style.backgroundColor), below));
    }
    return grounds.get(element);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
  const ratio = (element) => {
    const style = getComputedStyle(element);
    const inFigure = element.closest("svg");
    const below = ground(inFigure ?? element);
    if (!below) return 21;
    const [r, g, b, a] = rgba(inFigure ? style.fill : style.color);
    const [x, y] = [light(over([r, g, b, a * opacity(element)], below)), light(below)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const painted = (text) => {
    // a word on a bar or a tile of its figure has that for its ground
    const box = text.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    return [...(text.closest("svg")?.querySelectorAll("path, rect, image, circle") ?? [])].some((shape) => {
      const each = shape.getBoundingClientRect();
      return getComputedStyle(shape).fill !== "none" && each.left < x && x < each.right && each.top < y && y < each.bottom;
    });
  };
  const large = (element) => size(element) >= 24 || (size(element) >= 18.66 && Number(getComputedStyle(element).fontWeight) >= 700);
  const faint = texts.filter((e) => ratio(e) < (large(e) ? 3 : contrast) - 0.01 && !painted(e)).sort((a, b) => ratio(a) - ratio(b));
  add(faint, `texts have too little contrast, the least ${faint.length && ratio(faint[0]).toFixed(1)} (${faint.length && words(faint[0])})`);
  return lines;
}
