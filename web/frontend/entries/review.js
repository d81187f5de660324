// The review desk: the keyboard decides where to look, the officer decides what it is.
import { start } from "../review/desk.js";

start();
