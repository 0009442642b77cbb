import { lazy, Suspense } from "react";
import { showDialog, useShown } from "./told.ts";

// Dialogs and the library under them come when the first one is opened.
const CreateRoom = lazy(() => import("./dialogs/CreateRoom.tsx"));
const RoomSettings = lazy(() => import("./dialogs/RoomSettings.tsx"));
const InvitePeople = lazy(() => import("./dialogs/InvitePeople.tsx"));
const PersonCard = lazy(() => import("./dialogs/PersonCard.tsx"));
const SettingsDialog = lazy(() => import("./dialogs/SettingsDialog.tsx"));

export function Dialogs() {
  const shown = useShown();
  if (!shown) return null;
  return <Suspense>{one(shown)}</Suspense>;
}

function one(shown: NonNullable<ReturnType<typeof useShown>>) {
  const close = () => showDialog(undefined);
  switch (shown.kind) {
    case "create":
      return <CreateRoom onClose={close} />;
    case "settings":
      return <SettingsDialog onClose={close} />;
    case "room":
      return <RoomSettings id={shown.room} onClose={close} />;
    case "invite":
      return <InvitePeople id={shown.room} onClose={close} />;
    case "person":
      return <PersonCard room={shown.room} user={shown.user} onClose={close} />;
  }
}
