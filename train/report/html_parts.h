// What pages are made of, and the sections of report.html. Each of these returns what stands below its heading, or
// nothing where there is nothing to show.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/report/html_report.h"

namespace giza::train {

// The files html_report.css and html_report.js.
extern const char* const kReportStyle;
extern const char* const kReportScript;

struct HtmlSection {
  const char* id;
  const char* name;  ///< in the list of sections
  const char* title;
  std::string content;
};
/// A whole page: UTF-8, no address outside of it. `title`, `kind`, `summary` and `written` are plain texts; sections
/// without content are left out.
std::string html_page(const std::string& title, const std::string& kind, const std::vector<std::string>& summary,
                      std::span<const HtmlSection> sections, const std::string& written);
/// A list of names and values.
std::string facts(const std::vector<ReportFact>& list);

std::string training_section(const ReportData& data);
std::string classes_section(const ReportData& data);
std::string confusion_section(const ReportData& data);
std::string boundary_section(const ReportData& data);
std::string pictures_section(const ReportData& data);

/// True for a file that is no page of giza's: it must not be written over. One that is empty or not there is none.
bool is_foreign_page(const std::string& path);
/// A whole page of one file, which nothing can make load another: its title, a plain text; style sheet, contents of the
/// body, script.
std::string html_document(const std::string& title, const std::string& style, const std::string& body,
                          const std::string& script);

/// What is judged, "pixel" or "picture", and the share of them that is right, "pixel accuracy" or "top-1 accuracy".
std::string judged(const ReportData& data);
std::string accuracy_name(const ReportData& data);
/// "61.96", a share in percent without its sign; "–" for what is not finite.
std::string percent(double share);
/// "12 345 678", with narrow spaces that do not break.
std::string grouped(int64_t number);
/// A number for the eye: four digits; "–" for what is not finite.
std::string figure(double value);
/// The colour of a class: the configuration's, or the one of PASCAL VOC's map (its development kit) for its number.
Color class_color(std::span<const Color> colors, int label);
/// A swatch of a colour. Not text: it says nothing that the name beside it does not.
std::string swatch(const Color& color);

/// What classes are called and drawn with.
struct ClassLook {
  std::span<const std::string> names;
  std::span<const Color> colors;
  int ignore_label = 255;
};
/// A picture of a data set, its truth, and a prediction with a plain text as its caption, as figures. Ignored pixels of
/// the truth are striped.
std::string photo_view(const Image& image);
std::string truth_view(const ClassLook& look, const LabelMap& labels);
std::string prediction_view(const ClassLook& look, const LabelMap& labels, const std::string& caption);
/// The classes in a truth and its predictions, the most frequent first, then `more` items, and what the stripes are.
std::string class_legend(const ClassLook& look, const LabelMap& truth, const std::vector<const LabelMap*>& predictions,
                         const std::string& more = {});

/// A box in which something wide scrolls by itself, also by the keyboard. `label` is what it holds.
std::string scroll_box(const std::string& label, const std::string& content);
/// A cell of a table with its value for sorting, of the class `kind` besides.
std::string number_cell(double value, const std::string& shown, std::string_view kind = {});
/// A number_cell of a share in percent, of a count.
std::string share_cell(double share);
std::string count_cell(int64_t count);

/// A heading of a table, over texts, numbers, or shares in percent.
struct Column {
  enum Kind { text, number, share };
  const char* title;
  Kind kind = text;
};
/// A table in a scroll_box. `kind`: its class, "sortable" where headings are to sort it; may be empty.
std::string table(const std::string& label, const char* kind, std::initializer_list<Column> columns,
                  const std::string& rows);
/// A paragraph of the class `kind`: "caption", "note", "nothing".
std::string paragraph(const char* kind, const std::string& html);

}  // namespace giza::train
