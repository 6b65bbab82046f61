// Tables: sorted by their headings, filtered, folded when long, set tighter until they fit.
// Without this file a table is whole and plain, and scrolls where it is too wide.
{
  const LONG = 12; // lines that a folded table leaves
  const TIGHTER = ["dense", "denser"]; // classes tried in turn on a table that is too wide
  const ON_A_PHONE = ["dense", "broken"]; // there letters stay large, and intervals may break

  // The number that a cell begins with, NaN where it is a word: "4,946" is one number, "one run" is 1.
  const number = (text) => {
    const plain = text.trim().replace(/^one run\b/, "1").replace(/^[◇±≈<>≤≥~\s]+/, "").replace(/^−/, "-");
    const match = plain.match(/^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?(e[+-]?\d+)?(?=$|[^\w.-])/i);
    return match ? parseFloat(match[0].replaceAll(",", "")) : NaN;
  };

  // An order of texts, numbers by value where most are numbers; those that are not are last, both ways.
  const order = (texts, descending) => {
    const values = texts.map(number);
    const numeric = values.filter(Number.isFinite).length * 2 > texts.filter((text) => !/^[-–—]?$/.test(text)).length;
    const sign = descending ? -1 : 1;
    const compare = (i, j) => {
      if (!numeric) return sign * texts[i].localeCompare(texts[j], "en", { numeric: true });
      if (Number.isNaN(values[i]) || Number.isNaN(values[j])) return Number.isNaN(values[i]) - Number.isNaN(values[j]);
      return sign * (values[i] - values[j]);
    };
    return { numeric, indices: texts.map((_, i) => i).sort(compare) };
  };

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // The caption stands below the box that scrolls, and still names the table.
  const placeCaption = (table, box, i) => {
    if (!table.caption) return;
    const caption = element("p", { className: "table-caption", id: `table-caption-${i}` }, ...table.caption.childNodes);
    table.caption.remove();
    table.setAttribute("aria-labelledby", caption.id);
    box.after(caption);
  };

  // Headings are buttons: numbers begin with the largest, words with the first; once more reverses.
  const makeSortable = (table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      if (table.tBodies[0].querySelector(`td:nth-child(${column + 1}) .copy`)) return;
      const button = element("button", { type: "button", className: "sort" }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const rows = [...table.tBodies[0].rows];
        const texts = rows.map((row) => row.cells[column].textContent.trim());
        const before = heading.getAttribute("aria-sort");
        const descending = before ? before === "ascending" : order(texts, false).numeric;
        order(texts, descending).indices.forEach((i) => table.tBodies[0].append(rows[i]));
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        table.dispatchEvent(new Event("lines"));
      });
    });
  };

  // A table with headings that may be filtered has a choice of their values above it.
  const makeFilters = (table, box) => {
    const rows = [...table.tBodies[0].rows];
    const chosen = new Map();
    const count = element("output");
    const bar = element("div", { className: "filters" });
    const apply = () => {
      for (const row of rows) row.hidden = [...chosen].some(([column, value]) => value && row.cells[column].textContent.trim() !== value);
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} lines`;
      table.dispatchEvent(new Event("lines"));
    };
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!heading.hasAttribute("data-filter")) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))].sort();
      const options = [new Option(`${heading.textContent}: all`, ""), ...values.map((value) => new Option(value, value))];
      const select = element("select", { ariaLabel: `lines by ${heading.textContent}` }, ...options);
      select.addEventListener("change", () => (chosen.set(column, select.value), apply()));
      bar.append(select);
    });
    bar.append(count);
    box.before(bar);
    apply();
  };

  // A long table shows its first lines, in whatever order, and a button for the others.
  const makeFold = (table, box) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= LONG) return;
    const button = element("button", { type: "button", className: "more" });
    const set = (folded) => {
      const lines = rows.filter((row) => !row.hidden).length;
      table.classList.toggle("folded", folded);
      button.setAttribute("aria-expanded", !folded);
      button.textContent = folded ? `show all ${lines} lines` : `show ${LONG} lines`;
      button.hidden = lines <= LONG;
    };
    const openAtTarget = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!target || !table.tBodies[0].contains(target)) return;
      set(false);
      target.scrollIntoView();
    };
    button.addEventListener("click", () => {
      set(!table.classList.contains("folded"));
      table.dispatchEvent(new Event("lines"));
    });
    table.addEventListener("lines", () => set(table.classList.contains("folded")));
    window.addEventListener("hashchange", openAtTarget);
    box.after(button);
    set(true);
    openAtTarget();
  };

  // A table that is too wide is set tighter; what is still too wide scrolls, by keys too.
  const fit = (table, box) => {
    table.classList.remove(...TIGHTER, ...ON_A_PHONE);
    const wide = () => box.scrollWidth > box.clientWidth + 1;
    const steps = window.matchMedia("(max-width: 767px)").matches ? ON_A_PHONE : TIGHTER;
    for (const name of steps) if (wide()) table.classList.add(name);
    if (wide()) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".scroll > table.synthlearn").forEach((table, i) => {
      const box = table.parentElement;
      placeCaption(table, box, i);
      if (table.querySelector("th[data-filter]")) makeFilters(table, box);
      if (table.classList.contains("sortable")) makeSortable(table);
      makeFold(table, box);
      table.addEventListener("lines", () => fit(table, box));
      let width = 0;
      new ResizeObserver(() => {
        if (width !== box.clientWidth) fit(table, box);
        width = box.clientWidth;
      }).observe(box);
    });
  });
}
