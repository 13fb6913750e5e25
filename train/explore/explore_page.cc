// The page of `giza explore`: its frame, its pictures and its numbers. What happens on it is in explore_page.js.
#include "train/explore/explore_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/base/text.h"
#include "train/data/image/png.h"
#include "train/draw/embedded_image.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {

// The files explore_page.css and explore_page.js.
extern const char* const kExploreStyle;
extern const char* const kExploreScript;

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kPhotoBytes = 256 << 10;  // above it the picture is a JPEG
constexpr Color kIgnored = {154, 149, 140};
constexpr size_t kFileLetters = 120;

/// Four digits are more than anybody reads, and keep the page small.
double four_digits(double value) { return with_digits(value, 4); }

std::string png_address(const std::vector<uint8_t>& bytes) { return "data:image/png;base64," + base64(bytes); }

std::string labels_address(const LabelMap& labels, const std::vector<Color>& palette) {
  return png_address(encode_png("the page", labels.index.data(), labels.width, labels.height, 1, palette));
}

std::string picture_address(const Image& image) {
  const std::vector<uint8_t> bytes = encode_png("the page", image.rgb.data(), image.width, image.height, 3);
  return bytes.size() <= kPhotoBytes ? png_address(bytes) : photo_address(image, kPhotoBytes);
}

/// Truth with the ignored pixels in grey: as one class more, or where there is no number left, in the place of theirs.
std::string truth_address(const Exploration& page, std::vector<Color> palette) {
  LabelMap labels = *page.truth;
  if (palette.size() < 256) {
    std::replace(labels.index.begin(), labels.index.end(), static_cast<uint8_t>(page.ignore_label),
                 static_cast<uint8_t>(palette.size()));
    palette.push_back(kIgnored);
  } else {
    palette[static_cast<size_t>(page.ignore_label)] = kIgnored;
  }
  return labels_address(labels, palette);
}

std::string hex(const Color& color) { return fmt::format("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]); }

Json point_json(const ExploredPoint& point) {
  Json json;
  for (const ExploredScore& score : point.top) {
    json["top"].push_back({score.label, four_digits(score.probability), four_digits(score.logit)});
    if (score.parts.empty()) continue;
    Json parts = Json::array();
    for (const double part : score.parts) parts.push_back(four_digits(part));
    json["parts"].push_back(std::move(parts));
  }
  if (point.most_radius > 0) json["reach"] = {point.half_radius, point.most_radius};
  return json;
}

Json network_json(const ExploredNetwork& network, const std::vector<Color>& palette) {
  Json json = {{"title", network.title}, {"bins", network.bins}, {"parts", network.has_parts}};
  for (const ExploredState& state : network.states) {
    Json& of = json["states"][to_string(state.bins)];
    of["labels"] = labels_address(state.labels, palette);
    if (!state.fields.index.empty()) {
      of["fields"] =
          png_address(encode_png("the page", state.fields.index.data(), state.fields.width, state.fields.height, 1));
    }
    for (const ExploredPoint& point : state.points) of["points"].push_back(point_json(point));
  }
  return json;
}

std::string data_of(const Exploration& page, const std::vector<Color>& palette) {
  Json json = {{"width", page.picture.width}, {"height", page.picture.height},
               {"cell", page.cell},           {"columns", page.columns},
               {"rows", page.rows},           {"names", page.names}};
  for (const Color& color : palette) json["colors"].push_back(hex(color));
  for (const ExplorePoint& point : page.points) {
    Json at = {point.x, point.y};
    if (page.truth) {
      const uint8_t label = page.truth->at(point.x, point.y);
      at.push_back(label == page.ignore_label ? -1 : int{label});
    }
    json["points"].push_back(std::move(at));
  }
  for (const ExploredNetwork& network : page.networks) json["networks"].push_back(network_json(network, palette));
  return script_data(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

bool every_subset(const ExploredNetwork& network) { return network.bins.size() <= kEverySubset; }

/// "3×3"
std::string bin_name(int64_t bin) { return fmt::format("{0}×{0}", bin); }

/// The name of a state for a list of them.
std::string state_name(const ExploredNetwork& network, const BinState& state) {
  const auto on = static_cast<size_t>(std::count(state.begin(), state.end(), Bin::on));
  if (on == state.size()) return "all bins";
  const auto other = std::find_if(state.begin(), state.end(), [](Bin bin) { return bin != Bin::on; });
  const char* how = *other == Bin::swapped ? "swapped" : "off";
  if (on == 0) return fmt::format("all {}", how);
  const bool alone = on == 1;
  const auto named = std::find_if(state.begin(), state.end(), [&](Bin bin) { return (bin == Bin::on) == alone; });
  const std::string bin = bin_name(network.bins[static_cast<size_t>(named - state.begin())]);
  return alone ? fmt::format("{} alone on, others {}", bin, how) : fmt::format("{} alone {}", bin, how);
}

/// What switches the bins of network number n. `key` is the digit of its first bin.
std::string switches(const Exploration& page, size_t n, size_t key, const std::string& other) {
  const ExploredNetwork& network = page.networks[n];
  if (network.bins.empty()) return paragraph("switches none", "No pyramid: there is nothing to switch.");
  std::string html =
      fmt::format("<fieldset class='switches' data-network='{}'><legend>Bins of the pyramid</legend>\n", n);
  if (every_subset(network)) {
    html += "<div class='bins'>";
    for (size_t b = 0; b < network.bins.size(); ++b) {
      html += fmt::format(
          "<button type='button' aria-pressed='true' data-bin='{}' aria-keyshortcuts='{}'>{} <kbd "
          "aria-hidden='true'>{}</kbd></button>",
          b, key + b, bin_name(network.bins[b]), key + b);
    }
    html += "</div>\n";
    if (page.swap) {
      html += fmt::format(
          "<div class='modes'>Those not pressed are<label><input type='radio' name='mode{0}' value='0' "
          "checked>switched off</label><label><input type='radio' name='mode{0}' value='s'>taken from "
          "<bdi>{1}</bdi></label></div>\n",
          n, escape_markup(shorten(other, 40)));
    }
  } else {
    html += "<label>In use <select>";
    for (const ExploredState& state : network.states) {
      html += fmt::format("<option value='{}'>{}</option>", to_string(state.bins), state_name(network, state.bins));
    }
    html += "</select></label>\n";
  }
  return html + "</fieldset>\n";
}

std::string receptive_fields(const Exploration& page, const std::string& other) {
  std::string figures;
  size_t key = 1;
  for (size_t n = 0; n < page.networks.size(); ++n) {
    figures += fmt::format(
        "<div class='network' data-network='{0}'>\n<h3><bdi>{1}</bdi></h3>\n<div class='stage'><canvas width='{2}' "
        "height='{3}' tabindex='0' role='img' aria-label=\"Receptive field of the marked pixel in {1}\" "
        "aria-describedby='said'></canvas></div>\n<p class='verdict'></p>\n<p class='reach'></p>\n{4}</div>\n",
        n, escape_markup(page.networks[n].title), page.picture.width, page.picture.height,
        switches(page, n, key, other));
    key += every_subset(page.networks[n]) ? page.networks[n].bins.size() : 0;
  }
  return paragraph("lede",
                   "Click on a picture. The pixel is marked, and bright is where a small change of the picture would "
                   "change the score of its winning class the most: its <em>effective receptive field</em>. Half of "
                   "that influence comes from inside of the solid circle, nine tenths from inside of the dashed one.") +
         fmt::format("<div class='networks n{}'>\n{}</div>\n", page.networks.size(), figures) +
         "<p class='scale'><span>no influence</span><i></i><span>the most in this field</span></p>\n"
         "<p id='said' class='said' aria-live='polite'></p>\n" +
         paragraph("keys js",
                   "Keys: the arrows move the pixel when a field has the focus; digits press the bins, 0 all "
                   "of them again.");
}

std::string scores(const Exploration& page) {
  std::string html;
  for (size_t n = 0; n < page.networks.size(); ++n) {
    const ExploredNetwork& network = page.networks[n];
    html +=
        fmt::format("<div class='network' data-network='{}'>\n<h3><bdi>{}</bdi></h3>\n<div class='chances'></div>\n", n,
                    escape_markup(network.title));
    html += network.has_parts
                ? "<div class='sums'></div>\n"
                : paragraph("note", "Only the head of a PSPNet, or of its baseline, is taken apart into sums.");
    html += "</div>\n";
  }
  std::string how = "The probabilities of the likeliest classes at the pixel.";
  const bool parts = std::any_of(page.networks.begin(), page.networks.end(),
                                 [](const ExploredNetwork& network) { return network.has_parts; });
  if (parts) {
    how +=
        " Below, the score (logit) of the first two, as the exact sum of what each part of the head's input has "
        "added. What counts is the lead: a number that all classes get changes nothing.";
  }
  return paragraph("lede", how) + fmt::format("<div class='networks n{}'>\n{}</div>\n", page.networks.size(), html);
}

std::string view(const std::string& address, const std::string& name, const std::string& kind,
                 const Exploration& page) {
  return fmt::format(
      "<figure class='view' {}><div class='stage'><img src='{}' width='{}' height='{}' alt=\"{}\"></div>"
      "<figcaption><bdi>{}</bdi></figcaption></figure>\n",
      kind, address, page.picture.width, page.picture.height, escape_markup(name), escape_markup(name));
}

std::string answers(const Exploration& page, const std::vector<Color>& palette) {
  std::string html = view(picture_address(page.picture), "picture", "data-kind='picture'", page);
  if (page.truth) html += view(truth_address(page, palette), "truth", "data-kind='truth'", page);
  std::set<int> seen;
  for (size_t n = 0; n < page.networks.size(); ++n) {
    const LabelMap& labels = page.networks[n].states[0].labels;
    html += view(labels_address(labels, palette), page.networks[n].title,
                 fmt::format("data-kind='answer' data-network='{}'", n), page);
    seen.insert(labels.index.begin(), labels.index.end());
  }
  if (page.truth) seen.insert(page.truth->index.begin(), page.truth->index.end());
  std::string legend;
  for (const int label : seen) {
    if (label >= static_cast<int>(page.names.size()) || (page.truth && label == page.ignore_label)) continue;
    legend += fmt::format("<li>{}<bdi>{}</bdi></li>", swatch(palette[static_cast<size_t>(label)]),
                          escape_markup(page.names[static_cast<size_t>(label)]));
  }
  const bool ignored = page.truth && seen.contains(page.ignore_label);
  if (ignored) legend += fmt::format("<li>{}ignored</li>", swatch(kIgnored));
  return "<div class='views'>\n" + html + "</div>\n<p class='readout' id='readout'>&nbsp;</p>\n<ul class='legend'>" +
         legend + "</ul>\n";
}

std::string how_it_is_made(const Exploration& page, const ExploreTexts& texts) {
  std::string items = fmt::format(
      "<li>The networks saw the whole picture at once, {} × {} pixels{}, neither mirrored nor cut into tiles. So an "
      "answer "
      "may differ from that of <code>giza predict</code> and <code>giza eval</code>, which do what the test protocol "
      "says.</li>\n",
      page.picture.width, page.picture.height,
      page.picture.width == page.file_width && page.picture.height == page.file_height
          ? ""
          : fmt::format(" (the file has {} × {})", page.file_width, page.file_height));
  items += fmt::format(
      "<li><b>Points.</b> {} × {} pixels were worked out beforehand; a click goes to the nearest of them.</li>\n",
      page.columns, page.rows);
  items += fmt::format(
      "<li><b>Receptive field.</b> The gradient of the winning class's score, enlarged to the size of the picture, by "
      "the normalised picture, through the whole network (Luo et al., 2016). Shown is its length over the three "
      "channels, {}as the square root of its share in the brightest of its field: two fields show where, not how much. "
      "The circles and their radii are of the gradient before that. It tells what a very small change would do, which "
      "is "
      "not all that a network knows of a picture.</li>\n",
      page.cell == 1 ? "" : fmt::format("averaged over squares of {0} × {0} pixels, ", page.cell));
  const bool bins = std::any_of(page.networks.begin(), page.networks.end(),
                                [](const ExploredNetwork& network) { return !network.bins.empty(); });
  if (bins) {
    items +=
        "<li><b>Off</b> means that the head gets zeros in the place of the bin's map. Then the bin's share below is "
        "exactly zero. But the head has never seen such a map in training, and misses the bin's average too, which "
        "says nothing of this picture.";
    if (page.swap) {
      items += fmt::format(
          " <b>Taken from <bdi>{}</bdi></b> is the fairer question: the head gets what the bin has pooled "
          "there, as if the surroundings were another scene's.",
          escape_markup(shorten(texts.other, kFileLetters)));
    }
    items += "</li>\n";
    for (const ExploredNetwork& network : page.networks) {
      if (every_subset(network)) continue;
      items += fmt::format(
          "<li><bdi>{}</bdi> has {} bins. Instead of all {} subsets there are: all, none, and each bin "
          "alone off and alone on.</li>\n",
          escape_markup(network.title), network.bins.size(),
          network.bins.size() < 63 ? grouped(int64_t{1} << network.bins.size()) : "their");
    }
    const bool few = std::any_of(page.networks.begin(), page.networks.end(), [](const ExploredNetwork& network) {
      return std::any_of(network.states.begin(), network.states.end(),
                         [](const ExploredState& state) { return state.fields.index.empty(); });
    });
    if (few) {
      items +=
          "<li>Receptive fields were worked out with all bins on and with none of them, to save time "
          "(<code>--fields all</code> works out all).</li>\n";
    }
  }
  const bool parts = std::any_of(page.networks.begin(), page.networks.end(),
                                 [](const ExploredNetwork& network) { return network.has_parts; });
  if (parts) {
    items +=
        "<li><b>Sums.</b> A hidden unit of the head is max(0, z), where z is a sum over all that the 3×3 convolution "
        "reads, plus a constant: the batch norm is folded in. A score is a weighted sum of the active units, so it "
        "falls apart into one sum for each bin, one for the backbone's features, and the constants (the shift of the "
        "batch norm through the active units, and the bias), without any remainder. But which units are active "
        "depends on all of them together. So switching a bin off does not just take its share away: compare.</li>\n";
  }
  return "<ul class='how'>\n" + items + "</ul>\n" +
         (texts.command.empty()
              ? ""
              : "<h3>To make this again</h3>\n" +
                    scroll_box("Command", "<pre><code>" + escape_markup(texts.command) + "</code></pre>\n"));
}

std::string section(const char* id, const char* title, const std::string& content) {
  return fmt::format("<section id='{0}' aria-labelledby='{0}-title'>\n<h2 id='{0}-title'>{1}</h2>\n", id, title) +
         content + "</section>\n";
}

}  // namespace

std::vector<Color> distinct_colors(const std::vector<Color>& colors) {
  std::set<Color> taken = {kIgnored};
  std::vector<Color> distinct;
  for (const Color& wanted : colors) {
    Color color = wanted;
    // In steps of 6, which no noise that browsers add to what scripts read can bridge. 512 ways are enough for 256.
    for (int way = 1; !taken.insert(color).second; ++way) {
      for (size_t c = 0; c < 3; ++c) {
        const int step = 6 * (way >> 3 * c & 7);
        color[c] = static_cast<uint8_t>(wanted[c] + (wanted[c] < 128 ? step : -step));
      }
    }
    distinct.push_back(color);
  }
  return distinct;
}

std::string explore_page(const Exploration& exploration, const ExploreTexts& texts) {
  const std::vector<Color> palette = distinct_colors(exploration.colors);
  std::string summary = fmt::format("<li><bdi>{}</bdi></li>", escape_markup(shorten(texts.picture, kFileLetters)));
  for (const ExploredNetwork& network : exploration.networks) {
    summary += fmt::format("<li><bdi>{}</bdi>: {}</li>", escape_markup(network.title),
                           escape_markup(shorten(network.file, kFileLetters)));
  }
  const std::string content =
      section("fields", "Where the answer comes from", receptive_fields(exploration, texts.other)) +
      section("scores", "What the answer is made of", scores(exploration)) +
      section("answers", "The whole picture", answers(exploration, palette)) +
      section("how", "How this was made", how_it_is_made(exploration, texts));
  return html_document(
      fmt::format("{} – what a pixel sees", texts.picture), std::string(kReportStyle) + kExploreStyle,
      "<a class='skip' href='#content'>To the pictures</a>\n<header class='top'>\n<p class='kicker'>giza "
      "<span>explore</span></p>\n<h1>What a pixel sees</h1>\n<ul class='summary'>" +
          summary +
          "</ul>\n</header>\n<main id='content'>\n<noscript><p class='note warn'>Without JavaScript, only the answers "
          "are shown.</p></noscript>\n" +
          content +
          "</main>\n<footer>\n<p>Written by giza. One file, nothing is loaded from elsewhere.</p>\n</footer>\n" +
          data_of(exploration, palette),
      kExploreScript);
}

}  // namespace giza::train
