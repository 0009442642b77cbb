// Who may edit a document: by role, by what else they may do, person by person, or only hosts for a while.
import type { Capability, DocumentInfo, Role, Room, RoomState } from "@stoa/client";
import type { SharedDocument } from "@stoa/client/documents";
import { useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { Choose, Problem, Sheet, Toggle } from "../dialogs/parts.tsx";
import { useWork } from "../dialogs/work.ts";
import { useClientState, useProfiles } from "../hooks.ts";
import { IconButton } from "../IconButton.tsx";
import { CloseIcon } from "../icons.tsx";
import { usePeople } from "../people.ts";
import { Name } from "../text.tsx";
import { useDocumentState } from "./documents.ts";
import { othersOf } from "./presence.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  room: Room;
  state: RoomState;
  document: SharedDocument;
  onClose: () => void;
}

type Edit = NonNullable<DocumentInfo["edit"]>;
type Exception = "may" | "mayNot";

const ROLES = ["viewer", "member", "host"] as const;
/** What people of a role may have or not have; the rest comes with being a host. */
const CAPABILITIES = ["send", "call", "invite", "moderate"] as const;

/** By the record that came with the document: what is changed is set as a whole. */
export default function Rights(props: Props) {
  const { info } = useDocumentState(props.document);
  return info ? <KnownRights {...props} info={info} /> : null;
}

function KnownRights({ room, state, document: shared, info, onClose }: Props & { info: DocumentInfo }) {
  const words = useBoardWords();
  const { isBusy, problem, run } = useWork();
  const { document, edit = {}, locked = false } = info;
  const change = (fields: object) => void run(() => room.command({ type: "doc.update", document, ...fields }));
  const setEdit = (fields: Partial<Edit>) => change({ edit: { ...edit, ...fields } });
  const roles = ROLES.map((value) => ({ value, label: words.editors[value], hint: words.editorsWhy[value] }));
  const known = CAPABILITIES.find((each) => each === edit.capability);
  // One that the host application has set and that is not offered here stays as it is.
  const other = edit.capability && !known ? [{ value: edit.capability, label: edit.capability }] : [];
  const capabilities = [
    { value: "none" as const, label: words.capabilities.none },
    ...CAPABILITIES.map((value) => ({ value, label: words.capabilities[value] })),
    ...other,
  ];
  return (
    <Sheet title={words.rights} onClose={onClose}>
      <Toggle
        label={words.lock}
        hint={words.rightsWhy}
        isOn={locked}
        isDisabled={isBusy}
        onChange={(isOn) => change({ locked: isOn })}
      />
      <Choose<Role>
        label={words.rights}
        value={edit.role ?? "member"}
        choices={roles}
        isDisabled={isBusy}
        onChange={(role) => setEdit({ role })}
      />
      <Choose<Capability | "none">
        label={words.needed}
        value={edit.capability ?? "none"}
        choices={capabilities}
        isDisabled={isBusy}
        onChange={(capability) => setEdit({ capability: capability === "none" ? undefined : capability })}
      />
      <Exceptions state={state} shared={shared} edit={edit} isBusy={isBusy} onChange={setEdit} />
      <Problem text={problem} />
    </Sheet>
  );
}

interface ExceptionsProps {
  state: RoomState;
  shared: SharedDocument;
  edit: Edit;
  isBusy: boolean;
  onChange: (fields: Partial<Edit>) => void;
}

function Exceptions({ state, shared, edit, isBusy, onChange }: ExceptionsProps) {
  const words = useBoardWords();
  const nameOf = useProfiles();
  const { people } = usePeople(state);
  const { user: me } = useClientState();
  const [chosen, setChosen] = useState<string>();
  const { allow = [], deny = [] } = edit;
  const named = [...new Set([...deny, ...allow])];
  const set = (user: string, exception: Exception | undefined) => {
    const without = (list: readonly string[]) => list.filter((each) => each !== user);
    onChange({
      allow: exception === "may" ? [...without(allow), user] : without(allow),
      deny: exception === "mayNot" ? [...without(deny), user] : without(deny),
    });
  };
  const choices = (["may", "mayNot"] as const).map((value) => ({ value, label: words[value] }));
  // Hosts always may, whoever is looking at this among them.
  const hosts = new Set(people.flatMap(({ user, role }) => (role === "host" ? [user] : [])));
  const names = new Map(people.map(({ user, profile }) => [user, profile.name]));
  // People whom their token lets in are members in no list; here they are known by being at the document.
  for (const { user, name } of othersOf(shared.awareness).others) if (user !== "") names.set(user, name);
  const free = [...names].flatMap(([user, name]) =>
    user === me || hosts.has(user) || named.includes(user) ? [] : [{ user, name }],
  );
  const candidate = free.find(({ user }) => user === chosen) ?? free[0];
  return (
    <section className="exceptions" aria-labelledby="exceptions-title">
      <h3 id="exceptions-title">{words.exceptions}</h3>
      {named.length === 0 && <p className="muted">{words.noExceptions}</p>}
      <ul data-testid="exceptions">
        {named.map((user) => {
          const profile = nameOf(user);
          return (
            <li key={user}>
              <Avatar id={user} profile={profile} size="small" />
              <span className="exception-name">
                <Name name={profile.name} />
              </span>
              <Choose<Exception>
                label={words.exception(profile.name)}
                value={deny.includes(user) ? "mayNot" : "may"}
                choices={choices}
                isDisabled={isBusy}
                onChange={(exception) => set(user, exception)}
              />
              <IconButton label={words.noException(profile.name)} isOff={isBusy} onPress={() => set(user, undefined)}>
                <CloseIcon />
              </IconButton>
            </li>
          );
        })}
      </ul>
      {candidate && (
        <div className="exception-add">
          <Choose<string>
            label={words.exceptionFor}
            value={candidate.user}
            choices={free.map(({ user, name }) => ({ value: user, label: name }))}
            isDisabled={isBusy}
            onChange={setChosen}
          />
          <button type="button" className="button" disabled={isBusy} onClick={() => set(candidate.user, "may")}>
            {words.letEdit}
          </button>
          <button type="button" className="button" disabled={isBusy} onClick={() => set(candidate.user, "mayNot")}>
            {words.letLook}
          </button>
        </div>
      )}
    </section>
  );
}
