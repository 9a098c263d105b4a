using Muse.Queue;

namespace Muse.Api;

/// <summary>Samplers under the names that AUTOMATIC1111's web UI has for them.</summary>
static class Automatic1111Samplers
{
    const string Karras = "_karras";

    /// <summary>The web UI's name of each sampler without its schedule.</summary>
    static readonly Dictionary<string, string> Titles = new()
    {
        ["euler"] = "Euler",
        ["euler_a"] = "Euler a",
        ["ddim"] = "DDIM",
        ["dpmpp_2m"] = "DPM++ 2M",
        ["dpmpp_2m_sde"] = "DPM++ 2M SDE",
        ["pndm"] = "PLMS",
        ["heun"] = "Heun",
        ["unipc"] = "UniPC",
        ["lcm"] = "LCM",
        ["flow_euler"] = "Euler",
    };

    /// <summary>Muse's samplers by the web UI's names in the form of <see cref="Normalize"/>.</summary>
    static readonly Dictionary<string, string> Known = new()
    {
        ["euler"] = "euler",
        ["eulera"] = "euler_a",
        ["eulerancestral"] = "euler_a",
        ["ddim"] = "ddim",
        ["plms"] = "pndm",
        ["pndm"] = "pndm",
        ["heun"] = "heun",
        ["unipc"] = "unipc",
        ["lcm"] = "lcm",
        ["floweuler"] = "flow_euler",
        ["dpm++2m"] = "dpmpp_2m",
        ["dpm++2msde"] = "dpmpp_2m_sde",
    };

    /// <summary>The nearest sampler for each one of the web UI that Muse lacks.</summary>
    static readonly Dictionary<string, string> Nearest = new()
    {
        ["ddimcfg++"] = "ddim",
        ["ddpm"] = "ddim",
        ["lms"] = "euler",
        ["dpm2"] = "heun",
        ["dpm2a"] = "euler_a",
        ["dpm++2sa"] = "euler_a",
        ["dpmfast"] = "dpmpp_2m",
        ["dpmadaptive"] = "dpmpp_2m",
        ["dpm++sde"] = "dpmpp_2m_sde",
        ["dpm++3msde"] = "dpmpp_2m_sde",
        ["dpm++2msdeheun"] = "dpmpp_2m_sde",
        ["restart"] = "heun",
    };

    /// <summary>The web UI's schedule of a sampler where none is asked for.</summary>
    static readonly string[] KarrasByDefault = ["dpmpp_2m", "dpmpp_2m_sde"];

    /// <summary>The model's samplers as the web UI lists them.</summary>
    public static IReadOnlyList<SamplerItem> Of(ModelCard? card) => [.. Bases(card).GroupBy(name => Titles.GetValueOrDefault(name, name))
        .Select(same => new SamplerItem(same.Key, [.. same.Concat(same.Where(name => card!.Samplers.Contains(name + Karras))
            .Select(name => Title(name + Karras)))], new Dictionary<string, string>()))];

    /// <summary>The model's schedules as the web UI lists them.</summary>
    public static IReadOnlyList<SchedulerItem> Schedules(ModelCard? card)
    {
        SchedulerItem[] always = [new("automatic", "Automatic"), new("normal", "Normal")];
        return card?.Samplers.Any(IsKarras) == true ? [.. always, new("karras", "Karras")] : always;
    }

    /// <summary>The web UI's name of a sampler of the queue.</summary>
    public static string Title(string sampler) => IsKarras(sampler)
        ? $"{Titles.GetValueOrDefault(sampler[..^Karras.Length], sampler)} Karras"
        : Titles.GetValueOrDefault(sampler, sampler);

    /// <summary>The model's sampler for a name and a schedule of the web UI: the nearest, or null for the model's own.</summary>
    /// <param name="name">The sampler.</param>
    /// <param name="schedule">The schedule of noise levels.</param>
    /// <param name="card">The model.</param>
    /// <param name="warnings">Gets a sentence where it is not the one that was asked for.</param>
    public static string? Choose(string? name, string? schedule, ModelCard? card, List<string> warnings)
    {
        if (card is not { Samplers: [var own, ..] })
            return null;
        var (bare, wanted) = (Normalize(name ?? ""), Normalize(schedule ?? ""));
        foreach (var suffix in (string[])["karras", "exponential"])
        {
            // Before the web UI's version 1.9 the schedule was a part of the sampler's name.
            if (bare.EndsWith(suffix, StringComparison.Ordinal))
                (bare, wanted) = (bare[..^suffix.Length], suffix);
        }
        if (wanted is not ("" or "automatic" or "normal" or "karras"))
            warnings.Add($"There is no schedule '{Shorten(schedule ?? wanted)}' here; the sampler's own was used.");
        if (bare is "" or "automatic")
            return wanted == "karras" ? WithSchedule(own) : null;
        var known = Known.GetValueOrDefault(bare);
        var sampler = (known ?? Nearest.GetValueOrDefault(bare)) is { } candidate ? WithSchedule(candidate) : null;
        if (sampler is null && known == "euler")
            sampler = WithSchedule("flow_euler");
        if (sampler is null || known is null)
            warnings.Add($"There is no sampler '{Shorten(name!)}' here; {Title(sampler ?? own)} was used instead.");
        return sampler;

        string? WithSchedule(string sampler)
        {
            var karras = wanted == "karras" || (wanted is "" or "automatic" && KarrasByDefault.Contains(sampler));
            return karras && card.Samplers.Contains(sampler + Karras) ? sampler + Karras
                : card.Samplers.Contains(sampler) ? sampler : null;
        }
    }

    static IEnumerable<string> Bases(ModelCard? card) => (card?.Samplers ?? []).Where(name => !IsKarras(name));

    static bool IsKarras(string sampler) => sampler.EndsWith(Karras, StringComparison.Ordinal);

    /// <summary>A name without case, spaces, hyphens and underscores, and without the prefix k_ of older versions.</summary>
    static string Normalize(string name)
    {
        var bare = string.Concat(name.Take(100).Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant()
            .Replace("dpmpp", "dpm++", StringComparison.Ordinal);
        return name.StartsWith("k_", StringComparison.Ordinal) ? bare[1..] : bare;
    }

    static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
