// The icons of the board and the shared texts.
import type { ReactNode } from "react";

function icon(content: ReactNode) {
  return () => (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      {content}
    </svg>
  );
}

export const UndoIcon = icon(<path d="M8.5 6 4.5 10l4 4M5 10h9a5.5 5.5 0 0 1 0 11h-3" />);
export const RedoIcon = icon(<path d="m15.5 6 4 4-4 4M19 10h-9a5.5 5.5 0 0 0 0 11h3" />);
export const LockIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="2" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </>,
);
export const UnlockIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="2" />
    <path d="M8 11V8a4 4 0 0 1 7.6-1.7" />
  </>,
);
export const HistoryIcon = icon(
  <>
    <path d="M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5" />
    <path d="M12 8v4.5l3 1.8" />
  </>,
);
export const DownloadIcon = icon(<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14" />);
export const NotesIcon = icon(<path d="M6 3.5h8.5L18.5 7.5V20.5H6zM9 10h6.5M9 13.5h6.5M9 17h4" />);
