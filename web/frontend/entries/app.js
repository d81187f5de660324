// What every page that changes in place needs: htmx without what the Content-Security-Policy forbids.
import htmx from "htmx.org";

// What only scripts can do is shown where they run (map.css).
document.documentElement.classList.add("scripted");
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
// A refusal is an answer too: it is shown where the answer would be.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[2345]..", swap: true },
];
htmx.config.historyCacheSize = 0;
htmx.config.historyRestoreAsHxRequest = false;

export { htmx };
