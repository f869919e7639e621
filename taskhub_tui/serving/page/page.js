// The keys go to the terminal from its first picture on, without a click into it.
window.addEventListener("DOMContentLoaded", () => {
  const watching = new MutationObserver(() => {
    if (!document.body.classList.contains("-first-byte")) return;
    watching.disconnect();
    const keys = document.querySelector(".xterm-helper-textarea");
    if (keys) keys.focus();
  });
  watching.observe(document.body, { attributeFilter: ["class"] });
});
