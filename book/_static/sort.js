// The number that a cell begins with, NaN where it is a word; 4,946 is one number.
const number = (text) => parseFloat(text.replace(/(\d),(?=\d{3}(?!\d))/g, "$1").replace("−", "-"));

// A click on a heading of a sortable table sorts its rows, numbers by value; a second click reverses.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      let up = false;
      heading.addEventListener("click", () => {
        up = !up;
        const key = (row) => row.cells[column].textContent.replace("◇", "").trim();
        const compare = (a, b) => {
          const [x, y] = [number(key(a)), number(key(b))];
          if (Number.isNaN(x) || Number.isNaN(y)) return (Number.isNaN(x) - Number.isNaN(y)) || key(a).localeCompare(key(b));
          return y - x;
        };
        [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(a, b)).forEach((row) => body.append(row));
      });
    });
  }
});

// A table with headings that may be filtered has a choice of their values above it.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table:has(th[data-filter])")) {
    const rows = [...table.tBodies[0].rows];
    const chosen = new Map();
    const bar = document.createElement("div");
    bar.className = "filters";
    const count = document.createElement("output");
    const apply = () => {
      for (const row of rows) row.hidden = [...chosen].some(([column, value]) => value && row.cells[column].textContent.trim() !== value);
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    };
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!heading.hasAttribute("data-filter")) return;
      const select = document.createElement("select");
      const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))].sort();
      select.append(new Option(`${heading.textContent}: all`, ""), ...values.map((value) => new Option(value, value)));
      select.setAttribute("aria-label", `rows by ${heading.textContent}`);
      select.addEventListener("change", () => (chosen.set(column, select.value), apply()));
      bar.append(select);
    });
    bar.append(count);
    table.closest(".scroll").before(bar);
    apply();
  }
});
