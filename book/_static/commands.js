// Commands: in a table a button that copies stands for each, in the text one stands after each.
// Code on lines that wrap breaks at its spaces, not after the hyphens of an option or a name.
{
  const LONGEST = 36; // letters that a line of a phone has room for
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

  const wordOf = (...parts) => {
    const word = document.createElement("span");
    word.className = "word";
    word.append(...parts);
    return word;
  };

  const textsOf = (code) => {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    return texts;
  };

  const keepWords = (code) => {
    for (const text of textsOf(code)) {
      const parts = text.data.split(/(\s+)/);
      text.replaceWith(...parts.map((part) => (/\S[-/]|-\S/.test(part) && part.length <= LONGEST ? wordOf(part) : part)));
    }
  };

  // The button stays on the line of the command's last word.
  const buttonAfter = (code, button) => {
    const text = textsOf(code).findLast((each) => each.data.trim());
    const last = text.splitText(text.data.trimEnd().lastIndexOf(" ") + 1);
    const word = wordOf();
    last.replaceWith(word);
    word.append(last, button);
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(WRAPPING).forEach(keepWords);
    for (const code of document.querySelectorAll("main td > code, main p > code, main li > code")) {
      const command = code.textContent.trim();
      if (!COMMAND.test(command)) continue;
      if (code.parentElement.tagName === "TD") code.replaceWith(copyButton(command));
      else buttonAfter(code, copyButton(command));
    }
  });
}
