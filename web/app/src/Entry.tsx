// What those see who are not in yet.
import type { ReactNode } from "react";
import { Logo } from "./icons.tsx";

/** A card in the middle of the page. */
export function Card({ children, onSubmit }: { children: ReactNode; onSubmit?: (event: React.FormEvent) => void }) {
  const content = (
    <>
      <Logo className="login-logo" />
      {children}
    </>
  );
  return (
    <main className="login">
      {onSubmit ? (
        <form className="login-card" onSubmit={onSubmit}>
          {content}
        </form>
      ) : (
        <div className="login-card">{content}</div>
      )}
    </main>
  );
}

interface NoticeProps {
  title?: string;
  text: string;
  isBusy?: boolean;
  action?: string;
  onAction?: () => void;
}

/** Tells why one is not in. */
export function Notice({ title, text, isBusy, action, onAction }: NoticeProps) {
  return (
    <Card>
      {title !== undefined && <h1>{title}</h1>}
      <p className="muted" role="status">
        {text}
      </p>
      {isBusy && <span className="spinner" />}
      {action !== undefined && (
        <button type="button" className="button primary wide" onClick={onAction}>
          {action}
        </button>
      )}
    </Card>
  );
}
