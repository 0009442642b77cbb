import { CloseIcon } from "./icons.tsx";
import { forget, useToasts } from "./told.ts";
import { useWords } from "./words/index.ts";

export function Toasts() {
  const words = useWords();
  const toasts = useToasts();
  return (
    // A live region has to be there before what it reads.
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, text, tone }) => (
        <div key={id} className={`toast ${tone}`}>
          <span>{text}</span>
          <button type="button" className="icon-button small" title={words.close} onClick={() => forget(id)}>
            <CloseIcon />
            <span className="hidden">{words.close}</span>
          </button>
        </div>
      ))}
    </div>
  );
}
