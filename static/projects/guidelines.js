// Sets the mathematics of the guidelines.
import { typeset } from "../annotate/maths.js";

for (const place of document.querySelectorAll(".rich")) typeset(place);
