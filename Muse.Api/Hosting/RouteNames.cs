namespace Muse.Api;

/// <summary>The names of the routes that links are made from; also the operation ids of the OpenAPI document.</summary>
static class RouteNames
{
    public const string CreateGeneration = "createGeneration";
    public const string GetGeneration = "getGeneration";
    public const string GetGenerationImage = "getGenerationImage";
    public const string GetGenerationPreview = "getGenerationPreview";
    public const string GetImageFile = "getImageFile";
}
