// What a screen reader says of the place that is decoded: once it rests, not at each step.

const SAID_AFTER = 600; // milliseconds

function setUpSpeech(planes) {
  let timer;
  for (const plane of planes) {
    plane.rested = () => {
      clearTimeout(timer);
      timer = setTimeout(() => (byId("said").textContent = plane.describe()), SAID_AFTER);
    };
  }
}
