(() => {
  "use strict";
  const looks = JSON.parse(document.getElementById("looks").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const plots = [...document.querySelectorAll(".plot")].map((place) => {
    const figure = JSON.parse(place.querySelector("script").textContent);
    place.textContent = "";
    return { place, figure };
  });
  const draw = (paper) => {
    const look = looks[dark.matches && !paper ? "dark" : "light"];
    for (const { place, figure } of plots) {
      const layout = structuredClone(figure.layout);
      layout.template = look;
      if (narrow.matches) layout.font = { size: 11 };
      Plotly.react(place, structuredClone(figure.data), layout, { responsive: true, displayModeBar: false });
    }
  };
  draw(false);
  dark.addEventListener("change", () => draw(false));
  narrow.addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
})();
