namespace Muse.Diffusion;

/// <summary>The samplers by name.</summary>
public static class Samplers
{
    /// <summary>Every sampler's name, in the order they are listed to people.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "dpmpp_2m_sde_karras",
        "pndm", "heun", "unipc", "lcm", "flow_euler",
    ];

    /// <summary>The diffusers classes that a <see cref="SchedulerConfig"/> may name.</summary>
    internal static IReadOnlyCollection<string> ClassNames { get; } =
    [
        "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler", "PNDMScheduler",
        "HeunDiscreteScheduler", "UniPCMultistepScheduler", "LCMScheduler", "FlowMatchEulerDiscreteScheduler",
    ];

    /// <summary>Other diffusers classes over the same kind of noise schedule, and the sampler that is nearest to each.</summary>
    static readonly Dictionary<string, string> Nearest = new()
    {
        ["DEISMultistepScheduler"] = "dpmpp_2m",
        ["DPMSolverSinglestepScheduler"] = "dpmpp_2m",
        ["DPMSolverSDEScheduler"] = "dpmpp_2m_sde",
        ["SASolverScheduler"] = "dpmpp_2m_sde",
        ["EDMDPMSolverMultistepScheduler"] = "dpmpp_2m",
        ["EDMEulerScheduler"] = "euler",
        ["LMSDiscreteScheduler"] = "euler",
        ["KDPM2DiscreteScheduler"] = "heun",
        ["KDPM2AncestralDiscreteScheduler"] = "euler_a",
        ["DDPMScheduler"] = "ddim",
        ["DDIMParallelScheduler"] = "ddim",
        ["DDPMParallelScheduler"] = "ddim",
        ["IPNDMScheduler"] = "pndm",
        ["TCDScheduler"] = "lcm",
        ["FlowMatchHeunDiscreteScheduler"] = "flow_euler",
        ["FlowMatchLCMScheduler"] = "flow_euler",
    };

    /// <summary>
    /// Other spellings that people and programs use, in the form of <see cref="Normalize"/>; each is a name of <see cref="Names"/>.
    /// </summary>
    static readonly Dictionary<string, string> Aliases = new()
    {
        ["eulerdiscretescheduler"] = "euler",
        ["eulerancestral"] = "euler_a",
        ["eulerancestraldiscretescheduler"] = "euler_a",
        ["ddimscheduler"] = "ddim",
        ["dpm++2m"] = "dpmpp_2m",
        ["dpmsolvermultistep"] = "dpmpp_2m",
        ["dpmsolvermultistepscheduler"] = "dpmpp_2m",
        ["dpmsolver++"] = "dpmpp_2m",
        ["dpm++2mkarras"] = "dpmpp_2m_karras",
        ["dpm++2msde"] = "dpmpp_2m_sde",
        ["dpm++2msdekarras"] = "dpmpp_2m_sde_karras",
        ["plms"] = "pndm",
        ["pndmscheduler"] = "pndm",
        ["heundiscretescheduler"] = "heun",
        ["unipcmultistep"] = "unipc",
        ["unipcmultistepscheduler"] = "unipc",
        ["lcmscheduler"] = "lcm",
        ["floweuler"] = "flow_euler",
        ["flowmatcheuler"] = "flow_euler",
        ["flowmatcheulerdiscretescheduler"] = "flow_euler",
    };

    static Samplers()
    {
        foreach (var name in Names)
            Aliases.TryAdd(Normalize(name), name);
    }

    /// <summary>The samplers that suit a model, its own first. Flow models and latent consistency models have one each.</summary>
    public static IReadOnlyList<string> AvailableFor(SchedulerConfig config)
    {
        var own = OwnName(config);
        return own is "lcm" or "flow_euler"
            ? [own]
            : [own, .. Names.Where(name => name != own && name is not ("lcm" or "flow_euler"))];
    }

    /// <summary>Makes the sampler for a model.</summary>
    /// <param name="config">The model's scheduler_config.json.</param>
    /// <param name="name">A name of <see cref="Names"/> or another spelling of it (<c>Euler a</c>, <c>DPM++ 2M Karras</c>,
    /// <c>DDIMScheduler</c>); null for the configuration's own.</param>
    /// <exception cref="ArgumentException">There is no such sampler, or it doesn't suit the model; the message lists those that
    /// do.</exception>
    public static Sampler Create(SchedulerConfig config, string? name = null)
    {
        var available = AvailableFor(config);
        var known = name is null ? available[0] : CanonicalName(name);
        if (known is null || !available.Contains(known))
        {
            var problem = known is null ? $"There is no sampler '{name}'" : $"The sampler '{name}' does not suit this model";
            throw new ArgumentException($"{problem}; it can use {string.Join(", ", available)}.", nameof(name));
        }

        return known switch
        {
            "euler" => new EulerSampler(config),
            "euler_a" => new EulerAncestralSampler(config),
            "ddim" => new DdimSampler(config),
            "dpmpp_2m" => new DpmppSampler(config, karras: false, stochastic: false),
            "dpmpp_2m_karras" => new DpmppSampler(config, karras: true, stochastic: false),
            "dpmpp_2m_sde" => new DpmppSampler(config, karras: false, stochastic: true),
            "dpmpp_2m_sde_karras" => new DpmppSampler(config, karras: true, stochastic: true),
            "pndm" => new PndmSampler(config),
            "heun" => new HeunSampler(config),
            "unipc" => new UniPcSampler(config),
            "lcm" => new LcmSampler(config),
            "flow_euler" => new FlowEulerSampler(config),
            _ => throw new InvalidOperationException($"The sampler '{known}' has no implementation."),
        };
    }

    /// <summary>The name of <see cref="Names"/> that a spelling stands for; null when it stands for none.</summary>
    public static string? CanonicalName(string spelling) => Aliases.GetValueOrDefault(Normalize(spelling));

    /// <summary>The sampler that a diffusers class names: its own, or the nearest; null when nothing is known of the class.</summary>
    internal static string? ForClass(string className) =>
        ClassNames.Contains(className) ? CanonicalName(className) : Nearest.GetValueOrDefault(className);

    /// <summary>The sampler that a configuration names as its default.</summary>
    internal static string OwnName(SchedulerConfig config) => config.IsFlow ? "flow_euler" : ForClass(config.ClassName) switch
    {
        "dpmpp_2m" => "dpmpp_2m" + (config.Stochastic ? "_sde" : "") + (config.UseKarrasSigmas ? "_karras" : ""),
        "dpmpp_2m_sde" => "dpmpp_2m_sde" + (config.UseKarrasSigmas ? "_karras" : ""),
        { } name => name,
        null => throw new ArgumentException(
            $"There is no sampler for the class '{config.ClassName}'; there are {string.Join(", ", ClassNames)}.", nameof(config)),
    };

    /// <summary>A spelling without case, spaces, hyphens and underscores.</summary>
    static string Normalize(string spelling) => string.Concat(spelling.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant();
}
