using Muse.Tests.Infrastructure;

namespace Muse.Tests.Architecture;

/// <summary>Lines of source files fit a reviewer's screen.</summary>
public class LineLengthTests
{
    const int MaxLength = 140;

    static readonly string[] Extensions = [".cs", ".lua", ".js", ".mjs", ".ts", ".css", ".html", ".py", ".csproj", ".props"];

    // Build output, installed packages, and libraries in the form in which they are published.
    static readonly string[] SkippedFolders = ["bin", "obj", "artifacts", "node_modules", "lib", "TestResults"];

    [Fact]
    public void No_line_of_a_source_file_is_longer_than_140_characters()
    {
        var files = Sources(new DirectoryInfo(Repository.Root)).ToList();
        Assert.InRange(files.Count, 300, int.MaxValue);
        Assert.Empty(files.SelectMany(LongLines));
    }

    static IEnumerable<string> LongLines(FileInfo file) => File.ReadLines(file.FullName)
        .Select((line, index) => (Text: line, Number: index + 1))
        .Where(line => line.Text.Length > MaxLength)
        .Select(line => $"{Path.GetRelativePath(Repository.Root, file.FullName)}:{line.Number}: {line.Text.Length} characters");

    static IEnumerable<FileInfo> Sources(DirectoryInfo folder) =>
        folder.EnumerateFiles().Where(file => Extensions.Contains(file.Extension))
            .Concat(folder.EnumerateDirectories()
                .Where(child => child.Name[0] != '.' && !SkippedFolders.Contains(child.Name))
                .SelectMany(Sources));
}
