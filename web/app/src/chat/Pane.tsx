import { type ReactNode, useEffect, useRef } from "react";
import { CloseIcon } from "../icons.tsx";
import { useWords } from "../words/index.ts";

interface Props {
  title: string;
  subtitle?: ReactNode;
  onClose: () => void;
  /** Whether it lies over the chat, for want of room beside it. */
  isSheet: boolean;
  testId: string;
  children: ReactNode;
}

/** What stands beside the chat: a thread, the pins, a search. */
export function Pane({ title, subtitle, onClose, isSheet, testId, children }: Props) {
  const words = useWords();
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const pane = ref.current;
    // A field inside may have taken the focus already.
    if (pane && !pane.contains(document.activeElement)) pane.focus();
    return () => {
      if (before?.isConnected && (document.activeElement === document.body || pane?.contains(document.activeElement))) {
        before.focus();
      }
    };
  }, []);
  return (
    <aside
      ref={ref}
      className={`pane ${isSheet ? "sheet" : ""}`}
      aria-label={title}
      tabIndex={-1}
      data-testid={testId}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <header className="pane-head">
        <div>
          <h2>{title}</h2>
          {subtitle && <p className="muted">{subtitle}</p>}
        </div>
        <button type="button" className="icon-button" title={words.chat.closePane} onClick={onClose}>
          <CloseIcon />
          <span className="hidden">{words.chat.closePane}</span>
        </button>
      </header>
      {children}
    </aside>
  );
}
