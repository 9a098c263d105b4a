namespace Muse.Api;

/// <summary>
/// Merges repeated slashes of a path, as most servers do: clients join a base URL that ends in a slash with a path that begins with one.
/// </summary>
static class PathNormalization
{
    /// <summary>Merges repeated slashes before routing.</summary>
    public static void UsePathNormalization(this WebApplication app) => app.Use(static (context, next) =>
    {
        if (context.Request.Path.Value is { } path && path.Contains("//", StringComparison.Ordinal))
            context.Request.Path = Merge(path);
        return next(context);
    });

    internal static string Merge(string path)
    {
        var merged = new System.Text.StringBuilder(path.Length);
        foreach (var c in path)
        {
            if (c != '/' || merged.Length == 0 || merged[^1] != '/')
                merged.Append(c);
        }

        return merged.ToString();
    }
}
