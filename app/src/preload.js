function preload(pageMax, sorts, fields, mark, pictures, freshMs) {
  var given = new URLSearchParams(location.search), wanted = new URLSearchParams(), path = location.pathname;
  var product = /^\/products\/([1-9][0-9]{0,17})$/.exec(path), answers = {}, begun = Date.now();
  function copy(name, isMeant) {
    var value = given.get(name);
    if (value && isMeant(value)) wanted.set(name, value);
  }
  function show(item) {
    var picture = (item.product || item).image;
    if (picture) new Image().src = picture;
  }
  function ask(href) {
    answers[href] = fetch(href, { headers: fields });
    // Whoever takes it is told of a failure; until then nobody needs to be.
    answers[href].then(function (answer) { return answer.clone().json(); }).then(function (body) {
      [].concat(body.items || body).slice(0, pictures).forEach(show);
    }).catch(function () {});
  }
  function isMarked() {
    try {
      return localStorage.getItem(mark);
    } catch (refused) {
      return null;
    }
  }
  if (product) ask("/api/products/" + product[1]);
  else if (path === "/") {
    copy("category", Boolean);
    copy("q", Boolean);
    copy("page", function (page) { return /^[1-9][0-9]*$/.test(page) && page > 1 && page <= pageMax; });
    copy("sort", function (sort) { return sorts.indexOf(sort) > 0; });
    ask("/api/products" + (wanted.toString() && "?" + wanted));
  }
  if (isMarked()) {
    ask("/api/me");
    ask("/api/cart");
    if (path === "/orders") ask("/api/orders?page=" + (/^[1-9][0-9]{0,8}$/.exec(given.get("page")) || 1));
  }
  window.takePreloaded = function (url) {
    var taken = Date.now() - begun < freshMs ? answers[url] : undefined;
    delete answers[url];
    return taken;
  };
}
