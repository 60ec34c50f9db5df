"use strict";
(function () {
  var form = document.querySelector(".filter");
  var words = document.getElementById("words");
  var outcome = document.getElementById("outcome");
  var family = document.getElementById("family");
  var shown = document.getElementById("shown");
  var checks = Array.prototype.slice.call(document.querySelectorAll(".check"));
  var texts = checks.map(function (check) { return check.textContent.toLowerCase(); });
  function apply() {
    var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    var count = 0;
    checks.forEach(function (check, number) {
      var fits = (!outcome.value || check.dataset.outcome === outcome.value) &&
        (!family.value || check.dataset.family === family.value) &&
        wanted.every(function (word) { return texts[number].indexOf(word) !== -1; });
      check.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = count + " of " + checks.length;
  }
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("input", apply);
  form.hidden = false;
  apply();
})();
