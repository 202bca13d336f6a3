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
  // A page is laid out for paper after this has drawn, so paper is told its width: that between the margins of A4. Static,
  // because the flows of a Sankey fade in, and a printer does not wait.
  const PAPER = 700;
  const draw = (paper) => {
    const look = looks[dark.matches && !paper ? "dark" : "light"];
    for (const { place, figure } of plots) {
      const layout = structuredClone(figure.layout);
      layout.template = look;
      if (narrow.matches || paper) layout.font = { size: 11 };
      if (paper) layout.width = PAPER;
      const config = { responsive: !paper, displayModeBar: false, staticPlot: paper };
      Plotly.react(place, structuredClone(figure.data), layout, config);
    }
  };
  draw(false);
  dark.addEventListener("change", () => draw(false));
  narrow.addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
})();
