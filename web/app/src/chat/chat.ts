// What every row of a list of messages knows of the room that it is in.
import type { AccessView, Capability, Profile, Room, ShownMessage } from "@stoa/client";
import { createContext, useContext } from "react";

export interface Rights {
  send: boolean;
  react: boolean;
  pin: boolean;
  announce: boolean;
  moderate: boolean;
}

export interface RowActions {
  reply(message: ShownMessage): void;
  edit(message: ShownMessage): void;
  thread(message: ShownMessage): void;
  /** Goes to a message of this room. */
  show(seq: number, thread?: number): void;
  /** Tells something briefly. */
  tell(text: string): void;
}

export interface Chat {
  room: Room;
  me: string | undefined;
  rights: Rights;
  nameOf: (user: string | undefined) => Profile;
  actions: RowActions;
  /** The thread that is shown, `undefined` in the room itself. */
  thread: number | undefined;
}

export const ChatContext = createContext<Chat | undefined>(undefined);

export function useChat(): Chat {
  const chat = useContext(ChatContext);
  if (!chat) throw new Error("there is no room above this component");
  return chat;
}

export function rightsOf(access: AccessView | undefined, isArchived: boolean): Rights {
  const can = (capability: Capability) => (!isArchived && access?.capabilities.includes(capability)) ?? false;
  const isMuted = (access?.muted_until ?? 0) > Date.now();
  return {
    send: can("send") && !isMuted,
    react: can("react"),
    pin: can("pin"),
    announce: can("announce"),
    moderate: can("moderate"),
  };
}
