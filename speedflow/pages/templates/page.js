for (const card of document.querySelectorAll("article")) {
  const video = card.querySelector("video");
  const curve = card.querySelector(".curve");
  if (!video || !curve) continue;
  const head = curve.querySelector("i"), length = +card.dataset.duration;
  const left = {{ left }}, width = {{ "%.4f"|format(right - left) }};
  const follow = () => {
    const done = Math.min(video.currentTime / length, 1);
    head.style.left = 100 * (left + width * done) + "%";
    head.style.opacity = video.currentTime > 0 ? 0.6 : 0;
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked"]) video.addEventListener(name, follow);
  curve.addEventListener("click", (event) => {
    const box = curve.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width - left) / width;
    video.currentTime = length * Math.min(Math.max(place, 0), 1);
  });
  for (const frame of card.querySelectorAll("[data-time]"))
    frame.addEventListener("click", () => {
      video.currentTime = +frame.dataset.time;
    });
}
