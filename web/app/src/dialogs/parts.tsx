// The parts of dialogs: the library's behaviour in the page's looks.
import "../styles/dialogs.css";
import type { ReactNode } from "react";
import {
  Button,
  Dialog,
  Heading,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Modal,
  ModalOverlay,
  Popover,
  Select,
  SelectValue,
  Switch,
  Text,
  TextArea,
  TextField,
} from "react-aria-components";
import { CheckIcon, ChevronIcon, CloseIcon } from "../icons.tsx";
import { useWords } from "../words/index.ts";

interface SheetProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  isWide?: boolean;
}

/** A modal dialog; on a phone it comes from below. */
export function Sheet({ title, onClose, children, isWide }: SheetProps) {
  const words = useWords();
  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Modal className={`sheet-modal ${isWide ? "wide" : ""}`}>
        <Dialog className="sheet-dialog">
          <header className="sheet-head">
            <Heading slot="title">{title}</Heading>
            <Button className="icon-button" aria-label={words.close} onPress={onClose}>
              <CloseIcon />
            </Button>
          </header>
          <div className="sheet-body">{children}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

export interface Choice<Value extends string> {
  value: Value;
  label: string;
  hint?: string;
}

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  choices: readonly Choice<Value>[];
  onChange: (value: Value) => void;
  isDisabled?: boolean;
}

/** One of a few. */
export function Choose<Value extends string>({ label, value, choices, onChange, isDisabled }: ChoiceProps<Value>) {
  return (
    <Select
      className="choose"
      isDisabled={isDisabled}
      value={value}
      onChange={(key) => key !== null && onChange(String(key) as Value)}
    >
      <Label>{label}</Label>
      <Button className="choose-button">
        <SelectValue className="choose-value">
          {() => choices.find((choice) => choice.value === value)?.label ?? value}
        </SelectValue>
        <ChevronIcon />
      </Button>
      <Popover className="choose-list" offset={4}>
        <ListBox>
          {choices.map((choice) => (
            <ListBoxItem key={choice.value} id={choice.value} textValue={choice.label} className="choose-item">
              {({ isSelected }) => (
                <>
                  <span className="choose-text">
                    <Text slot="label">{choice.label}</Text>
                    {choice.hint && (
                      <Text slot="description" className="muted">
                        {choice.hint}
                      </Text>
                    )}
                  </span>
                  {isSelected && <CheckIcon />}
                </>
              )}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

interface LineProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  placeholder?: string;
  maxLength?: number;
  isDisabled?: boolean;
  isLong?: boolean;
  autoFocus?: boolean;
}

/** A line, or a few, of text. */
export function Line({ label, hint, isLong, placeholder, ...rest }: LineProps) {
  return (
    <TextField className="field" {...rest}>
      <Label>{label}</Label>
      {isLong ? (
        <TextArea rows={2} dir="auto" placeholder={placeholder} />
      ) : (
        <Input dir="auto" placeholder={placeholder} />
      )}
      {hint && (
        <Text slot="description" className="fine">
          {hint}
        </Text>
      )}
    </TextField>
  );
}

interface ToggleProps {
  label: string;
  hint?: string;
  isOn: boolean;
  isDisabled?: boolean;
  onChange: (isOn: boolean) => void;
}

/** On or off. */
export function Toggle({ label, hint, isOn, onChange, isDisabled }: ToggleProps) {
  return (
    <Switch className="toggle" isSelected={isOn} isDisabled={isDisabled} onChange={onChange}>
      <span className="toggle-text">
        {label}
        {hint && <span className="fine">{hint}</span>}
      </span>
      <span className="toggle-track" aria-hidden="true" />
    </Switch>
  );
}

export function Problem({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p className="problem" role="alert">
      {text}
    </p>
  );
}

interface AskProps {
  text: string;
  action: string;
  isBusy: boolean;
  onYes: () => void;
  onNo: () => void;
  children?: ReactNode;
}

/** Asks before something that cannot be taken back, or that somebody else will feel. */
export function Ask({ text, action, isBusy, onYes, onNo, children }: AskProps) {
  const words = useWords();
  return (
    <div className="ask">
      <p>{text}</p>
      {children}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onNo}>
          {words.cancel}
        </button>
        {/* biome-ignore lint/a11y/noAutofocus: the question has just been asked for */}
        <button type="button" className="button danger" disabled={isBusy} onClick={onYes} autoFocus>
          {action}
        </button>
      </div>
    </div>
  );
}
