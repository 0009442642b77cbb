// Logging out: this browser forgets the user's documents, and says so first when that would lose something.
import { unsavedReplicas } from "@stoa/client";
import { useState } from "react";
import { Dialog } from "./Dialog.tsx";
import { ExitIcon } from "./icons.tsx";
import { useWords } from "./words/index.ts";

export function LogOut({ user, onLogOut }: { user: string; onLogOut: () => void }) {
  const words = useWords();
  const [unsaved, setUnsaved] = useState(0);
  const ask = async () => {
    const count = await unsavedReplicas(user);
    if (count > 0) setUnsaved(count);
    else onLogOut();
  };
  return (
    <>
      <button type="button" className="icon-button" title={words.logOut} onClick={() => void ask()}>
        <ExitIcon />
        <span className="hidden">{words.logOut}</span>
      </button>
      {unsaved > 0 && (
        <Dialog title={words.logOut} onClose={() => setUnsaved(0)}>
          <p>{words.logOutLoses(unsaved)}</p>
          <div className="dialog-actions">
            <button type="button" className="button" onClick={() => setUnsaved(0)}>
              {words.cancel}
            </button>
            <button type="button" className="button danger" onClick={onLogOut}>
              {words.logOutAnyway}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
