use heirloom_crawler::{ListFilter, open};
use serde_json::json;

#[tokio::test]
async fn a_snapshot_of_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let models = json!([
        {"title": "Mask R-CNN", "description": "Instance segmentation.", "stars": 20000, "framework": "Keras",
         "link": "https://github.com/matterport/Mask_RCNN", "papers": ["https://arxiv.org/abs/1703.06870"], "categories": ["Computer Vision"]},
        {"title": "pix2pix", "link": "https://example.org/pix2pix", "stars": "many"},
        {"description": "no title"},
        {"title": "???"}
    ]);
    std::fs::write(folder.path().join("models.json"), models.to_string()).unwrap();
    let hub = open("modelzoo", folder.path().to_str()).unwrap();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(page.names, ["matterport/Mask-R-CNN", "modelzoo/pix2pix"]);
    assert_eq!(page.skipped.len(), 2, "{:?}", page.skipped);
    let package = &page.packages[0];
    assert_eq!(
        (package.likes, package.library.as_deref()),
        (Some(20000), Some("Keras"))
    );
    assert_eq!(package.tags, ["Computer Vision"]);
    assert_eq!(page.packages[1].likes, None);
}
