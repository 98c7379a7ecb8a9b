function preload(pageMax, sorts, fields, mark, shown, freshMs) {
  var given = new URLSearchParams(location.search), wanted = new URLSearchParams(), path = location.pathname;
  var product = /^\/products\/([1-9][0-9]{0,17})$/.exec(path), answers = {}, arrived = {}, isTakenOver = false;
  function copy(name, isMeant) {
    var value = given.get(name);
    if (value && isMeant(value)) wanted.set(name, value);
  }
  // Where the app will put them. It takes such a place away, whatever is in it.
  function show(item, index) {
    var product = item.product || item;
    var picture = document.querySelectorAll("[data-early=image]")[index];
    var name = document.querySelectorAll("[data-early=name]")[index];
    if (picture && product.image) {
      picture.style.background = "center / cover url(" + JSON.stringify(product.image) + ")";
      picture.classList.remove("skeleton");
    }
    if (name && product.name) {
      name.textContent = product.name;
      name.classList.remove("skeleton");
    }
  }
  function ask(href, isShown) {
    answers[href] = fetch(href, { headers: fields });
    answers[href].then(function (answer) {
      arrived[href] = performance.now();
      return isShown && answer.clone().json().then(function (body) {
        // By then it may show another page.
        if (!isTakenOver) [].concat(body.items || body).slice(0, shown).forEach(show);
      });
    // Whoever takes it is told of a failure; until then nobody needs to be.
    }).catch(function () {});
  }
  function isMarked() {
    try {
      return localStorage.getItem(mark);
    } catch (refused) {
      return null;
    }
  }
  if (product) ask("/api/products/" + product[1], true);
  else if (path === "/") {
    copy("category", Boolean);
    copy("q", Boolean);
    copy("page", function (page) { return /^[1-9][0-9]*$/.test(page) && page > 1 && page <= pageMax; });
    copy("sort", function (sort) { return sorts.indexOf(sort) > 0; });
    ask("/api/products" + (wanted.toString() && "?" + wanted), true);
  }
  if (isMarked()) {
    ask("/api/me");
    ask("/api/cart", path === "/cart");
    if (path === "/orders") ask("/api/orders?page=" + (/^[1-9][0-9]{0,8}$/.exec(given.get("page")) || 1));
  }
  window.takePreloaded = function (url) {
    var taken = performance.now() - arrived[url] > freshMs ? undefined : answers[url];
    isTakenOver = true;
    delete answers[url];
    return taken;
  };
}
