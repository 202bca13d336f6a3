"""What columns are called in files people have: for each of ours the headers by which it is known, best first.

A header matches when it is equal after case, blanks, dashes and underscores are taken away.
"""

from __future__ import annotations

import re

_USER = (
    "user_id customer_id client_id member_id buyer_id master_id account_id household_id uid user customer cust_id cid "
    "用户id 用户编号 买家id 买家编号 会员id 会员编号 会员号 客户id 客户编号 顾客id 买家会员名 用户 买家 会员 客户"
)
_ITEM = (
    "item_id product_id sku_id sku goods_id stock_code article_id asin movie_id item product_code product "
    "商品id 商品编号 商品编码 商品代码 货品id 货号 宝贝id sku编号 商品"
)
_ORDER = (
    "order_id order_no order_number invoice_no invoice_id invoice transaction_id basket_id receipt_id order trade_id "
    "订单编号 主订单编号 订单号 订单id 交易编号 单号 子订单编号"
)
_RECORDED = "recorded_at ingested_at loaded_at updated_at modified_at 更新时间 入库时间 记录时间"
_HAPPENED = "timestamp time datetime date ts 时间 日期"
_SELLER = "seller_id shop_id merchant_id store_id 卖家id 店铺id 商家id 卖家编号"
_CAMPAIGN = "campaign_id campaign 活动id 活动编号 营销活动id"
_CHANNEL = "channel source platform 渠道 来源 平台"

HEADERS: dict[str, dict[str, str]] = {
    "orders": {
        "user_id": _USER,
        "ordered_at": "ordered_at order_date order_time order_datetime purchase_date purchased_at invoice_date "
        "transaction_timestamp transaction_date paid_at payment_time "
        f"付款时间 支付时间 订单付款时间 订单支付时间 付款日期 下单时间 订单创建时间 创建时间 成交时间 "
        f"购买时间 交易时间 订单时间 下单日期 {_HAPPENED}",
        "order_id": _ORDER,
        "item_id": _ITEM,
        "quantity": "quantity qty units count number_of_cds 数量 购买数量 商品数量 件数",
        "unit_price": "unit_price price item_price 单价 商品单价 价格 商品价格",
        "amount": "amount paid_amount amount_paid line_total total revenue sales_value dollar_value sales net_amount "
        "total_price payment 实付金额 实付款 买家实付金额 买家实际支付金额 实际支付金额 支付金额 付款金额 成交金额 "
        "买家应付货款 金额 总金额",
        "discount": "discount discount_amount retail_disc 优惠金额 折扣金额 优惠 折扣",
        "coupon_id": "coupon_id coupon coupon_code voucher_id 优惠券id 优惠券编号 优惠券",
        "channel": _CHANNEL,
        "seller_id": _SELLER,
        "kind": "kind order_type transaction_type 订单类型 交易类型",
        "recorded_at": _RECORDED,
        "event_id": "event_id line_id order_line_id 子订单id 子订单编号 行号id",
        "currency": "currency currency_code 币种 货币",
    },
    "events": {
        "occurred_at": "occurred_at event_date event_time event_timestamp event_ts "
        f"行为时间 事件时间 发生时间 访问时间 {_HAPPENED}",
        "event": "event event_name event_type action behavior_type behavior type 事件 事件名称 行为 行为类型 事件类型",
        "user_id": _USER,
        "device_id": "device_id device anonymous_id visitor_id cookie_id 设备id 设备号 访客id",
        "item_id": _ITEM,
        "page": "page page_name url screen 页面 页面名称",
        "feature": "feature feature_name module 功能 模块",
        "session_id": "session_id session visit_id 会话id",
        "dwell_seconds": "dwell_seconds dwell duration_seconds duration 停留时长 停留秒数 时长",
        "campaign_id": _CAMPAIGN,
        "rating": "rating score stars 评分 星级",
        "seller_id": _SELLER,
        "recorded_at": _RECORDED,
        "event_id": "event_id act_id 事件id 行为id",
    },
    "users": {
        "user_id": _USER,
        "registered_at": "registered_at registration_date registered signup_date sign_up_date created_at join_date "
        "注册时间 注册日期 入会时间",
        "region": "region country state province city 地区 省份 城市 国家",
        "birth_year": "birth_year year_of_birth 出生年份 出生年",
        "gender": "gender sex 性别",
        "referred_by": "referred_by referrer_id inviter_id 邀请人id 推荐人",
        "seller_id": _SELLER,
        "consent_sms": "consent_sms sms_opt_in sms_consent 短信授权 同意短信",
        "consent_email": "consent_email email_opt_in email_consent 邮件授权 同意邮件",
        "consent_push": "consent_push push_opt_in push_consent 推送授权 同意推送",
        "consent_profiling": "consent_profiling profiling_consent 画像授权 个性化授权",
        "blocked": "blocked is_blocked blacklisted 黑名单 拉黑",
        "recorded_at": _RECORDED,
    },
    "items": {
        "item_id": _ITEM,
        "name": "name item_name product_name title description 商品名称 商品名 宝贝标题 名称 标题",
        "category": "category product_category department category_name genres 类目 品类 商品类目 分类",
        "brand": "brand brand_name 品牌",
        "price": "price list_price 价格 吊牌价 原价 售价",
        "cost": "cost unit_cost 成本 成本价",
        "gift": "gift is_gift 赠品 是否赠品",
        "launched_at": "launched_at launch_date 上架时间 上市时间",
        "retired_at": "retired_at end_date 下架时间",
        "in_stock": "in_stock available 是否有货 有货",
        "attributes": "attributes tags labels 属性 标签",
        "recorded_at": _RECORDED,
    },
    "contacts": {
        "campaign_id": _CAMPAIGN,
        "user_id": _USER,
        "arm": "arm group variant segment treatment 分组 实验组 组别",
        "touched_at": f"touched_at sent_at contacted_at send_time contact_time 触达时间 发送时间 {_HAPPENED}",
        "channel": _CHANNEL,
        "offer": "offer offer_name 权益 优惠",
        "item_id": _ITEM,
        "recorded_at": _RECORDED,
    },
    "tags": {
        "user_id": _USER,
        "tag": "tag tag_name label 标签 标签名 标签名称",
        "value": "value tag_value 标签值 值",
        "set_at": f"set_at tagged_at created_at 打标时间 {_HAPPENED}",
        "set_by": "set_by tagged_by operator 打标人 操作人",
        "expires_at": "expires_at expiry_date 过期时间 到期时间",
    },
    "identities": {
        "user_id": _USER,
        "kind": "kind type identity_type 类型 标识类型",
        "value": "value identity 值 标识",
    },
    "exposures": {
        "suggestion_id": "suggestion_id impression_id 推荐id 曝光id",
        "user_id": _USER,
        "item_id": _ITEM,
        "shown_at": f"shown_at impression_time 曝光时间 展示时间 {_HAPPENED}",
        "position": "position rank slot 位置 排名",
        "clicked_at": "clicked_at click_time 点击时间",
    },
    "labels": {
        "target": "target label_name 目标 目标名",
        "user_id": _USER,
        "y": "y label outcome converted 标签 结果",
        "as_of": "as_of cutoff snapshot_date as_of_date 截止日期 快照日期",
    },
}


_UNIT = re.compile(r"\s*[（(\[【][^（(\[【]{1,12}[）)\]】]\s*$")


def plain(header: str) -> str:
    """A header without case, blanks, dashes, dots, brackets and underscores."""
    return re.sub(r"[\s_\-.（）()\[\]【】:：]+", "", header).lower()


def candidates(table: str, ours: str, headers: list[str]) -> list[str]:
    """Those of a file's headers that may be our column, best first."""
    known = [ours, *HEADERS[table].get(ours, "").split()]
    by_name: dict[str, list[str]] = {}
    for header in headers:
        by_name.setdefault(plain(header), []).append(header)
    for header in headers:
        # A unit in brackets at the end says nothing about which column it is: 实付金额（元）, Amount (EUR).
        without = plain(_UNIT.sub("", header))
        if header not in by_name.get(without, []):
            by_name.setdefault(without, []).append(header)
    return list(dict.fromkeys(header for name in known for header in by_name.get(plain(name), [])))
