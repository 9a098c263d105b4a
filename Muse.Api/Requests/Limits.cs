namespace Muse.Api;

/// <summary>Limits that hold for every model.</summary>
static class Limits
{
    public const int MaxCount = 10;
    public const float MaxGuidance = 50;
}
