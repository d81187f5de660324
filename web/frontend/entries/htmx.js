// htmx without what the Content-Security-Policy forbids: no eval, no injected style element.
import htmx from "htmx.org";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
