// What a question shown as a dialog is answered with: its button's value, "" when it is left.
//
// Known at once. The dialog's own close event comes a task later: the next key may have been heard by then,
// or the same dialog opened for another question.
export function answerOf(dialog, mayLeave = true) {
  return new Promise((answer) => {
    const end = (value) => { dialog.close(); answer(value); };
    dialog.onsubmit = (event) => { event.preventDefault(); end(event.submitter?.value ?? ""); };
    dialog.oncancel = (event) => { event.preventDefault(); if (mayLeave) end(""); };
    dialog.onclose = () => { if (!dialog.open) answer(""); }; // a browser may close it without asking
  });
}
