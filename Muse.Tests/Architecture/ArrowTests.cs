using System.Xml.Linq;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Architecture;

/// <summary>Data flows one way: HTTP → queue → engine → results → HTTP. These tests check which project refers to which.</summary>
public class ArrowTests
{
    [Theory]
    [InlineData("Muse.Queue", new string[0])]
    [InlineData("Muse.Diffusion", new string[0])]
    [InlineData("Muse.ServiceDefaults", new string[0])]
    [InlineData("Muse.Api", new[] { "Muse.Queue", "Muse.ServiceDefaults" })]
    [InlineData("Muse.Autoscaler", new[] { "Muse.Queue", "Muse.ServiceDefaults" })]
    [InlineData("Muse.GpuWorker", new[] { "Muse.Diffusion", "Muse.Queue", "Muse.ServiceDefaults" })]
    public void A_project_refers_only_to_the_projects_that_it_may(string project, string[] allowed) =>
        Assert.Equal(allowed, References(project).Where(name => name.StartsWith("Muse.", StringComparison.Ordinal)).Order());

    [Theory]
    [InlineData("StackExchange.Redis", "Muse.Queue")]
    [InlineData("Amazon", "Muse.Queue")]
    [InlineData("Microsoft.ML.OnnxRuntime", "Muse.Diffusion")]
    public void Only_one_project_uses_the_library(string library, string owner)
    {
        string[] projects =
            ["Muse.Queue", "Muse.Diffusion", "Muse.ServiceDefaults", "Muse.Api", "Muse.Autoscaler", "Muse.GpuWorker", "Muse.AppHost"];
        var users = projects.Where(project =>
            Sources(project).Any(file => File.ReadAllText(file).Contains($"using {library}", StringComparison.Ordinal)));
        Assert.Equal([owner], users);
    }

    static IEnumerable<string> References(string project) =>
        XDocument.Load(Path.Combine(Repository.Root, project, $"{project}.csproj")).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));

    static IEnumerable<string> Sources(string project) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, project), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));
}
