// Commands: in a table a button that copies stands for each, in the text one stands after each.
{
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

  document.addEventListener("DOMContentLoaded", () => {
    for (const code of document.querySelectorAll("main td > code, main p > code, main li > code")) {
      const command = code.textContent.trim();
      if (!COMMAND.test(command)) continue;
      if (code.parentElement.tagName === "TD") code.replaceWith(copyButton(command));
      else code.after(copyButton(command));
    }
  });
}
