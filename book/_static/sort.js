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
          const [x, y] = [parseFloat(key(a)), parseFloat(key(b))];
          if (Number.isNaN(x) || Number.isNaN(y)) return (Number.isNaN(x) - Number.isNaN(y)) || key(a).localeCompare(key(b));
          return y - x;
        };
        [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(a, b)).forEach((row) => body.append(row));
      });
    });
  }
});
