import { later } from "./later.tsx";
import { showDialog, useShown } from "./told.ts";

const onFail = () => showDialog(undefined);

// Dialogs and the library under them come when the first one is opened.
const CreateRoom = later({ load: () => import("./dialogs/CreateRoom.tsx").then((file) => file.default), onFail });
const RoomSettings = later({ load: () => import("./dialogs/RoomSettings.tsx").then((file) => file.default), onFail });
const InvitePeople = later({ load: () => import("./dialogs/InvitePeople.tsx").then((file) => file.default), onFail });
const PersonCard = later({ load: () => import("./dialogs/PersonCard.tsx").then((file) => file.default), onFail });
const SettingsDialog = later({
  load: () => import("./dialogs/SettingsDialog.tsx").then((file) => file.default),
  onFail,
});

export function Dialogs() {
  const shown = useShown();
  if (!shown) return null;
  return one(shown);
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
