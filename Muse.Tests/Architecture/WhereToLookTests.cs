using System.Text.RegularExpressions;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Architecture;

/// <summary>The table "Where would I…" of docs/architecture.md.</summary>
public partial class WhereToLookTests
{
    [Fact]
    public void Each_file_of_the_table_exists_and_the_first_one_has_the_text_to_search_for()
    {
        var rows = File.ReadLines(Path.Combine(Repository.Root, "docs", "architecture.md"))
            .SkipWhile(line => !line.StartsWith("## Where would I", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
            .Select(line => Code().Matches(line).Select(match => match.Groups[1].Value).ToArray())
            .Where(words => words.Length > 0)
            .ToList();

        Assert.True(rows.Count >= 8, $"The table has {rows.Count} rows.");
        Assert.All(rows, words =>
        {
            var files = words.Skip(1).Select(file => Path.Combine(Repository.Root, file)).ToList();
            Assert.All(files, file => Assert.True(File.Exists(file), file));
            Assert.Contains(words[0], File.ReadAllText(files[0]), StringComparison.Ordinal);
        });
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
