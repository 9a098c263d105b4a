using System.Globalization;
using System.Text;

namespace Muse.Benchmarks;

/// <summary>The report of a run in Markdown: written to the console line by line, and to a file at the end.</summary>
sealed class Report
{
    readonly StringBuilder text = new();

    public void Heading(FormattableString title) => Line($"\n## {title}\n");

    /// <summary>Begins a table. Its rows follow.</summary>
    public void Columns(params string[] names)
    {
        Row(names);
        Row([.. names.Select((_, i) => i == 0 ? "---" : "---:")]);
    }

    public void Row(params FormattableString[] cells) => Row([.. cells.Select(cell => cell.ToString(CultureInfo.InvariantCulture))]);

    public void Row(string[] cells) => Line($"| {string.Join(" | ", cells)} |");

    public void Line(FormattableString line) => Line(line.ToString(CultureInfo.InvariantCulture));

    void Line(string line)
    {
        Console.WriteLine(line);
        text.AppendLine(line);
    }

    public Task SaveAsync(string path) => File.WriteAllTextAsync(path, text.ToString());
}
