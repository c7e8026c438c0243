// Nothing has come yet: go to the night of the first exposure as soon as there is one.

import { getJson, nightUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { byId } from "./dom.js";
import { openFeed } from "./feed.js";

const bar = makeBar(byId("health"));

openFeed(0, {
  exposure: (event) => location.replace(nightUrl(event.camera, event.day_obs)),
  reset: goIfAny,
  line: (state) => bar.line(state),
  beat: (data) => {
    bar.beat(data);
    goIfAny();
  },
});

async function goIfAny() {
  const { nights } = await getJson("api/v1/nights").catch(() => ({ nights: [] }));
  if (nights.length) location.replace(nightUrl(nights[0].camera, nights[0].day_obs));
}
