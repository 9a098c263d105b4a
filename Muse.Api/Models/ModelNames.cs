using System.IO.Enumeration;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The names of the served model: its own, and the patterns of <see cref="ApiOptions.ModelAliases"/>.</summary>
public sealed class ModelNames(IOptions<ApiOptions> options, IOptions<QueueOptions> queue)
{
    readonly string[] aliases = ApiOptions.Split(options.Value.ModelAliases);

    /// <summary>The name of the served model.</summary>
    public string Served { get; } = queue.Value.Model;

    /// <summary>Whether a name stands for the served model.</summary>
    public bool Contains(string name) =>
        name == Served || aliases.Any(alias => FileSystemName.MatchesSimpleExpression(alias, name, ignoreCase: false));
}
