using System.Globalization;

namespace Muse.Api;

/// <summary>The preference <c>wait</c> of the <c>Prefer</c> header, RFC 7240.</summary>
static class WaitPreference
{
    const int MaxSeconds = 600;

    /// <summary>Seconds to wait, at most ten minutes; null without the preference.</summary>
    public static int? Read(string? prefer)
    {
        foreach (var preference in (prefer ?? "").Split(',', ';'))
        {
            if (preference.Trim().Split('=') is ["wait", var seconds]
                && int.TryParse(seconds.Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var wait))
            {
                return Math.Min(wait, MaxSeconds);
            }
        }

        return null;
    }
}
