using System.Text.RegularExpressions;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Architecture;

/// <summary>What differs between kinds of models is in the folder of the families; nothing else of the engine asks which it is.</summary>
public class FamilyTests
{
    static readonly string Engine = Path.Combine(Repository.Root, "Muse.Diffusion");
    static readonly string Families = Path.Combine(Engine, "Families");

    // Names of kinds of models in types, in diffusers' pipelines and in folders.
    static readonly Regex Kinds = new(
        @"StableDiffusion|\bSdxl|LatentConsistency|\bFlux|Pipeline\b|PipelineI"
        + "|timestep_cond|text_embeds|time_ids|pooled_projections|text_encoder_2|tokenizer_2",
        RegexOptions.IgnoreCase);

    [Fact]
    public void No_file_of_the_engine_outside_the_families_names_a_kind_of_model_in_its_code()
    {
        var naming = Sources(Engine).Where(file => !file.StartsWith(Families, StringComparison.Ordinal))
            .SelectMany(file => File.ReadLines(file).Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal))
                .Where(line => Kinds.IsMatch(line)).Select(line => $"{Path.GetRelativePath(Engine, file)}: {line.Trim()}"));
        Assert.Empty(naming);
    }

    [Fact]
    public void Each_family_is_one_file_that_no_other_project_names()
    {
        var families = Sources(Families).Where(file => File.ReadAllText(file).Contains(": ModelFamily(", StringComparison.Ordinal))
            .Select(file => Path.GetFileNameWithoutExtension(file)).ToList();
        Assert.Contains("StableDiffusion", families);
        var others = new[] { "Muse.GpuWorker", "Muse.Api", "Muse.Queue", "Muse.Autoscaler", "Muse.AppHost", "Muse.ServiceDefaults" };
        foreach (var project in others)
        {
            foreach (var file in Sources(Path.Combine(Repository.Root, project)))
                Assert.DoesNotContain(families, family => Regex.IsMatch(File.ReadAllText(file), $@"\b{family}\b"));
        }
    }

    static IEnumerable<string> Sources(string folder) => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));
}
