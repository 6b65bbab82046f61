// Commands: in a table a button that copies stands for each, in the text one stands after each.
// Code on lines that wrap breaks at its spaces, not after the hyphens of an option or a name.
{
  const LONGEST = 36; // letters that a line of a phone has room for
  const JOINER = "\u2060"; // no line ends beside a button
  const WRAPPING = "main :not(td) > code, main .highlight-bash pre";

  const COMMAND = /^(python -m|papermill|pip|git|jupyter) \S/;

  const copyButton = (command) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.title = command;
    const name = document.createElement("span");
    name.className = "unseen";
    name.textContent = `Copy ${command}`;
    button.append(name);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command);
        button.classList.add("done");
        name.textContent = `Copied ${command}`;
        setTimeout(() => (button.classList.remove("done"), (name.textContent = `Copy ${command}`)), 2000);
      } catch {
        button.classList.add("plain"); // no access to the clipboard: the command is shown, to be selected
        name.textContent = command;
      }
    });
    return button;
  };

  const keepWords = (code) => {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const parts = text.data.split(/(\s+)/).map((part) => {
        if (!/\S[-/]|-\S/.test(part) || part.length > LONGEST) return part;
        const word = document.createElement("span");
        word.className = "word";
        word.textContent = part;
        return word;
      });
      text.replaceWith(...parts);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(WRAPPING).forEach(keepWords);
    for (const code of document.querySelectorAll("main td > code, main p > code, main li > code")) {
      const command = code.textContent.trim();
      if (!COMMAND.test(command)) continue;
      if (code.parentElement.tagName === "TD") code.replaceWith(copyButton(command));
      else code.after(JOINER, copyButton(command), JOINER);
    }
  });
}
