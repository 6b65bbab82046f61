// Guess which of two sets teaches more. Pairs, answers and numbers are the page's own data; the
// score is kept while the visit lasts (sessionStorage), and a pair without an answer does not count.
(() => {
  function start(figure) {
    const { sheets, pairs } = JSON.parse(figure.querySelector("script").textContent);
    const sides = [...figure.querySelectorAll(".two > div")];
    const buttons = sides.map((side) => side.querySelector("button"));
    const next = figure.querySelector(".next");
    const answer = figure.querySelector(".answer");
    const visit = { asked: 0, right: 0, counted: 0, ...remembered() };

    function remembered() {
      try {
        return JSON.parse(sessionStorage.getItem("guess")) ?? {};
      } catch {
        return {}; // a browser that keeps nothing: the score starts anew on each page
      }
    }

    function remember() {
      try {
        sessionStorage.setItem("guess", JSON.stringify(visit));
      } catch {
        // as above
      }
    }

    function say() {
      const { right, counted } = visit;
      figure.querySelector("output").textContent = counted ? `${right} of ${counted} right` : "";
    }

    function ask() {
      const { sets } = pairs[visit.asked % pairs.length];
      sides.forEach((side, i) => {
        side.className = "";
        side.querySelector("img").src = `${sheets}/${sets[i]}.webp`;
        side.querySelector("p").textContent = "";
        buttons[i].disabled = false;
      });
      answer.textContent = "";
      next.hidden = true;
    }

    function tell(choice) {
      const pair = pairs[visit.asked % pairs.length];
      sides.forEach((side, i) => {
        side.querySelector("p").textContent = `${pair.titles[i]}: ${pair.accuracies[i]}`;
        if (i === pair.winner) side.className = "winner";
        buttons[i].disabled = true;
      });
      const known = pair.winner !== null;
      const right = choice === pair.winner;
      const word = !known ? "We cannot tell." : right ? "Right." : "No.";
      answer.textContent = `${word} ${pair.answer}`;
      visit.asked += 1;
      visit.counted += known ? 1 : 0;
      visit.right += known && right ? 1 : 0;
      remember();
      say();
      next.hidden = false;
      next.focus(); // the button that had the focus is disabled now
    }

    buttons.forEach((button, i) => {
      button.hidden = false;
      button.addEventListener("click", () => tell(i));
    });
    next.addEventListener("click", () => {
      ask();
      buttons[0].focus();
    });
    figure.querySelector("details").remove();
    say();
    ask();
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll("figure.guess").forEach(start));
})();
